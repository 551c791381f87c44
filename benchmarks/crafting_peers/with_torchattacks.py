"""Crafting with torchattacks, on the same network in PyTorch: channels last, weights frozen."""

import json
from pathlib import Path

import numpy as np
import torch
import torchattacks
from torch import nn

from peer import Craft, in_batches, time_craft


class ChannelsLast(nn.Module):
    """Flatten as Keras does, channels last."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def converted(folder: Path) -> nn.Module:
    """The network of export_network.py; raises ValueError for a layer that is not in it so far."""
    with np.load(folder / "layers.npz") as stored:
        layers = json.loads(str(stored["layers"]))
        weights = [[torch.from_numpy(stored[f"{i}_{j}"]) for j in range(n)] for i, (_, _, n) in enumerate(layers)]
    parts: list[nn.Module] = []
    for (kind, settings, _), values in zip(layers, weights, strict=True):
        if kind == "Conv2D":
            height, width, channels, filters = values[0].shape
            part = nn.Conv2d(channels, filters, (height, width), padding="same")
            part.weight.data, part.bias.data = values[0].permute(3, 2, 0, 1).contiguous(), values[1]
            parts.append(part)
        elif kind == "Dense":
            part = nn.Linear(*values[0].shape)
            part.weight.data, part.bias.data = values[0].T.contiguous(), values[1]
            parts.append(part)
        elif kind == "BatchNormalization":
            flat = any(isinstance(part, ChannelsLast) for part in parts)
            part = (nn.BatchNorm1d if flat else nn.BatchNorm2d)(len(values[0]), eps=settings["epsilon"])
            part.weight.data, part.bias.data, part.running_mean, part.running_var = values
            parts.append(part)
        elif kind == "MaxPooling2D":
            parts.append(nn.MaxPool2d(2))
        elif kind == "Flatten":
            parts.append(ChannelsLast())
        elif kind not in ("InputLayer", "Dropout", "Activation"):
            raise ValueError(f"no counterpart of the layer {kind}")
        activation = settings.get("activation", "linear")
        if activation == "relu":
            parts.append(nn.ReLU())
        elif activation != "linear":
            raise ValueError(f"no counterpart of the activation {activation}")
    network = nn.Sequential(*parts).eval().to(memory_format=torch.channels_last)
    return network.requires_grad_(False)


def open_library(folder: Path, batch_size: int, threads: int) -> Craft:
    torch.set_num_threads(threads)
    network = converted(folder)

    def attack(work, epsilon):
        if work.method == "fgsm":
            return torchattacks.FGSM(network, eps=epsilon)
        steps = {"eps": epsilon, "alpha": work.step, "steps": work.iterations}
        if work.method == "bim":
            return torchattacks.BIM(network, **steps)
        return torchattacks.PGD(network, random_start=False, **steps)

    def craft(work, images, labels):
        x = torch.from_numpy(images).permute(0, 3, 1, 2)  # the strides of channels last
        y = torch.from_numpy(labels)
        return [attack(work, epsilon)(x, y).permute(0, 2, 3, 1).numpy() for epsilon in work.epsilons]

    return in_batches(craft, batch_size)


if __name__ == "__main__":
    time_craft(open_library)
