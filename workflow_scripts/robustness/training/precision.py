"""Mixed precision (Micikevicius et al. 2018, arXiv 1710.03740): layers compute in 16 bits while weights stay float32."""

from collections.abc import Iterator

import keras
from keras import layers


def lowered_layers(network: keras.Model) -> list[keras.layers.Layer]:
    """The layers that mixed precision concerns, those of models inside it too: all before the last dense one.

    That one gives the logits: they and whatever follows them stay float32, since 16 bits would round large logits by whole units.
    """
    found = list(_leaves(network))
    dense = [i for i, layer in enumerate(found) if isinstance(layer, layers.Dense)]
    return found[: dense[-1]] if dense else found[:-1]


def _leaves(network: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        elif not isinstance(layer, layers.InputLayer):
            yield layer


class MixedPrecision(keras.callbacks.Callback):
    """Lets a float32 network compute in mixed precision while Keras' fit trains it, and in float32 when it validates and at the end.

    precision: a policy of Keras, 'mixed_bfloat16' or 'mixed_float16'. The network is the same object before and after, so
    that whatever is kept of it (weights, its file) is that of a float32 network.
    """

    def __init__(self, network: keras.Model, precision: str):
        super().__init__()
        self.lowered, self.precision = lowered_layers(network), precision

    def _compute_in(self, policy: str) -> None:
        for layer in self.lowered:
            layer.dtype_policy = policy

    # Keras traces its steps after these hooks, so a compiled step has the policy of its own phase.
    def on_train_begin(self, logs=None):
        self._compute_in(self.precision)

    def on_test_begin(self, logs=None):
        self._compute_in("float32")

    def on_test_end(self, logs=None):
        self._compute_in(self.precision)

    def on_train_end(self, logs=None):
        self._compute_in("float32")
