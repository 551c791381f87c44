"""The end of a network, from its features to its logits, as the words of network_settings say it."""

from collections.abc import Sequence

import keras
from keras import layers, regularizers

from robustness.models.network_settings import check_head, parse_word
from robustness.models.rejection import LAST_LAYER


def kernel_decay(weight_decay: float) -> regularizers.Regularizer | None:
    """Keras' L2 regulariser with this coefficient; None for 0."""
    return regularizers.L2(weight_decay) if weight_decay else None


def append_head(
    x: keras.KerasTensor, words: Sequence[str], n_classes: int, weight_decay: float, rejects: bool = False
) -> keras.KerasTensor:
    """The logits, (n, n_classes), of features x, (n, height, width, channels) or (n, channels).

    rejects: one logit more, the rejection's (robustness.models.rejection).

    Every dense layer's kernel decays, that of the logits too unless it is 'logits undecayed'. Raises UserError for words
    that are no head.
    """
    check_head(tuple(words))
    for word in words:
        kind, told = parse_word(word)
        if kind == "flatten":
            x = layers.Flatten()(x)
        elif kind == "global_average_pooling":
            x = layers.GlobalAveragePooling2D()(x)
        elif kind == "batch_normalization":
            x = layers.BatchNormalization()(x)
        elif kind == "relu":
            x = layers.Activation("relu")(x)
        elif kind == "dropout":
            x = layers.Dropout(float(told[0]))(x)
        elif kind == "dense":
            activation = told[1].strip() or None
            x = layers.Dense(int(told[0]), activation=activation, kernel_regularizer=kernel_decay(weight_decay))(x)
        else:
            decay = None if told[0] else kernel_decay(weight_decay)
            name = LAST_LAYER if rejects else "logits"
            x = layers.Dense(n_classes + rejects, kernel_regularizer=decay, name=name)(x)
    return x
