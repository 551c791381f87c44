"""What a forward pass of every network costs: the file that job sizes are computed from. Run from the clone's root:

python benchmarks/network_costs.py > resources/network_costs.yaml
"""

import math
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # what TensorFlow says of its start is no part of the file

import click

from measurements import SCRIPTS

sys.path.insert(0, str(SCRIPTS))

import keras
from keras import layers

from robustness.models.architectures import ARCHITECTURES, build

# The size of images, after upsampling, that a network is built for.
SIZES = {
    **dict.fromkeys(("lenet5", "report_cnn", "report_student_cnn"), (28, 28, 1)),
    **dict.fromkeys(("inception_v3", "mobilenet_v2", "resnet50"), (224, 224, 3)),
}
USUAL = (32, 32, 3)
CLASSES = 10
# Layers that give no values of their own: they hand on what they were given.
PASSING = (layers.InputLayer, layers.Flatten, layers.Dropout, layers.Reshape)
HEAD = """\
# What a forward pass of each network costs, from which the memory and time of jobs are computed
# (workflow_scripts/robustness/cluster/job_sizes.py). Counted from Keras' layers, not edited by hand, by
#   python benchmarks/network_costs.py > resources/network_costs.yaml
#
# Of one image of the size `image` (height, width, channels, after upsampling), at width 1, with the network's own head:
#   multiply_adds  of convolutions and dense layers, in millions
#   activations    values that layers put out, in thousands: what training and attacks hold in memory
#   largest        the most values that one layer puts out, in thousands
#   parameters     numbers in the network, in thousands; dense_parameters, those of dense layers, which grow with the image
#                  where a head begins with flatten
#
# An architecture that is not here has the costs of `default`, for each the largest per pixel of all the networks below.
"""


def operations_of(network: keras.Model) -> list:
    """All of a network's operations, those of the models inside it too, each (operation, its output)."""
    found = []
    for operation in network.operations:
        if isinstance(operation, keras.Model):
            found += operations_of(operation)
        elif not isinstance(operation, PASSING):
            found.append(operation)
    return found


def multiply_adds(operation) -> int:
    """Of one image, by the kernel and the number of places that it is laid on; 0 for what has no kernel."""
    if isinstance(operation, layers.Dense):
        return math.prod(operation.kernel.shape)
    if isinstance(operation, layers.Conv2D | layers.DepthwiseConv2D):
        return math.prod(operation.kernel.shape) * math.prod(operation.output.shape[1:3])
    return 0


def costs(name: str) -> dict:
    """What stands in the file of an architecture."""
    shape = SIZES.get(name, USUAL)
    network = build(name, shape, CLASSES, (0.0, 1.0))
    operations = operations_of(network)
    values = [math.prod(operation.output.shape[1:]) for operation in operations]
    dense = [operation.count_params() for operation in operations if isinstance(operation, layers.Dense)]
    return {
        "image": list(shape),
        "multiply_adds": round(sum(map(multiply_adds, operations)) / 1e6, 3),
        "activations": round(sum(values) / 1e3, 1),
        "largest": round(max(values) / 1e3, 1),
        "parameters": round(network.count_params() / 1e3, 1),
        "dense_parameters": round(sum(dense) / 1e3, 1),
    }


def default(found: dict) -> dict:
    """For each cost the largest per pixel, on images of the usual size; parameters do not grow with pixels."""
    pixels = {name: math.prod(each["image"][:2]) for name, each in found.items()}
    most = {"image": list(USUAL)}
    for key in ("multiply_adds", "activations", "largest"):
        most[key] = round(max(each[key] / pixels[name] for name, each in found.items()) * math.prod(USUAL[:2]), 3)
    return most | {key: max(each[key] for each in found.values()) for key in ("parameters", "dense_parameters")}


@click.command()
def main():
    """Count all networks of workflow_scripts/robustness/networks and print the file."""
    found = {name: costs(name) for name in ARCHITECTURES}
    click.echo(HEAD)
    for name, each in ({"default": default(found)} | found).items():
        click.echo(f"{name}: {{{', '.join(f'{key}: {value}' for key, value in each.items())}}}")


if __name__ == "__main__":
    main()
