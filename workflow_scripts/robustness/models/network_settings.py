"""What can be said about a network besides its name: input size, head, pretrained weights. Light: no Keras here."""

import re
from dataclasses import dataclass

from robustness.errors import UserError

# A head is a list of these words, from the features to the logits; robustness.models.heads builds it.
WORDS = {
    "flatten": "flatten",
    "global_average_pooling": "global_average_pooling",
    "batch_normalization": "batch_normalization",
    "relu": "relu",
    "dropout": r"dropout (0?\.\d+)",
    "dense": r"dense ([1-9]\d*)( relu| tanh)?",
    "logits": r"logits( undecayed)?",
}
WITH_WIDTH = ("inception_small", "resnet20", "vgg11", "vgg16")  # networks of our own whose convolutions can be narrower
WITH_BASE = ("inception_v3", "mobilenet_v2", "resnet50")  # networks on a base of Keras that pretrained weights fit
TRAINABLE = ("all", "batch_normalization", "head")


@dataclass(frozen=True)
class NetworkSettings:
    """How a network is built.

    upsampling: whole factor by which images are enlarged (each pixel repeated) before the network sees them.
    width: every convolution has this share of its filters, as MobileNets' width multiplier (Howard et al. 2017, arXiv
    1704.04861, section 3.3); dense layers stay.
    head: words from the features to the logits (see WORDS); None for the network's own.
    weight_decay: coefficient of the sum of squared kernel weights that is added to the loss (Keras' L2 regulariser).
    weights: a file of pretrained weights for the base, or None to draw them. trainable: what of the base is trained: all,
    its batch normalisation, or nothing but the head behind it.
    """

    upsampling: int = 1
    width: float = 1.0
    head: tuple[str, ...] | None = None
    weight_decay: float = 0.0
    weights: str | None = None
    trainable: str = "all"

    def filters(self, full: int) -> int:
        """The filters of a convolution that has `full` of them at width 1; one or more."""
        return max(1, round(full * self.width))


def parse_word(word: str) -> tuple[str, tuple[str, ...]]:
    """A word of a head as (its kind, what else it says): 'dense 256 relu' is ('dense', ('256', ' relu')).

    Raises UserError for a word that is none.
    """
    for kind, form in WORDS.items():
        if match := re.fullmatch(form, word):
            return kind, tuple(group or "" for group in match.groups())
    examples = (
        "flatten, global_average_pooling, batch_normalization, relu, dropout 0.25, dense 256, dense 256 relu, logits"
    )
    raise UserError(f"a head can't have '{word}'; it is made of words like {examples}.")


def check_head(head: tuple[str, ...]) -> None:
    """Raise UserError for a head that is not made of known words, or without exactly one place for the logits."""
    kinds = [parse_word(word)[0] for word in head]
    if kinds.count("logits") != 1:
        raise UserError(f"a head needs the word logits exactly once, not {kinds.count('logits')} times: mend it.")
    first = min(kinds.index(kind) for kind in ("dense", "logits") if kind in kinds)
    if not {"flatten", "global_average_pooling"} & set(kinds[:first]):
        raise UserError("a head needs flatten or global_average_pooling before its first dense layer: add one.")
