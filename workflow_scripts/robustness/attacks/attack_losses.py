"""The losses that attacks climb, each a function (labels (n,), logits (n, classes)) -> (n,) that grows with the error.

Cross-entropy is what the published studies climb. Its float32 gradient vanishes once the logits lie some 90 apart,
which training at a high temperature brings about; the other losses do not depend on the logits' scale.
"""

from collections.abc import Callable

import tensorflow as tf

from robustness.errors import UserError

HEALTHY_RANGE = 10.0  # largest minus smallest logit at which no share of a softmax is lost in float32


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of the softmax, nats."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def scaled_cross_entropy(scale: float | None) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Cross-entropy of logits / scale (Carlini and Wagner 2016, arXiv 1607.04311, section 4, of distilled networks).

    scale: the temperature that the network was trained at; None takes, for each image, what brings the range of its
    logits down to 10 (and 1 where it is smaller). That scale is held constant in the gradient.
    """

    def loss(labels, logits):
        if scale is not None:
            return cross_entropy(labels, logits / scale)
        spread = tf.reduce_max(logits, 1, keepdims=True) - tf.reduce_min(logits, 1, keepdims=True)
        return cross_entropy(labels, logits / tf.stop_gradient(tf.maximum(1.0, spread / HEALTHY_RANGE)))

    return loss


def margin(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Largest wrong logit minus the true one, positive where the image is misclassified (Carlini and Wagner 2017, f6)."""
    true = tf.one_hot(labels, logits.shape[1], on_value=True, off_value=False)
    wrong = tf.reduce_max(tf.where(true, -float("inf"), logits), 1)
    return wrong - tf.gather(logits, labels, batch_dims=1)


def difference_of_logits_ratio(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The margin over the distance of the largest from the third largest logit (DLR; Croce and Hein 2020, equation 6)."""
    largest = tf.math.top_k(logits, 3).values
    return margin(labels, logits) / (largest[:, 0] - largest[:, 2] + 1e-12)


def sparing_rejection(loss: Callable, joined: Callable) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The loss of a model whose last logit is a rejection's, as if the rejection belonged to the true class.

    An attack that only leaves the true class may end where the model rejects; with this loss, away from both, it looks for
    an image that is accepted and wrong (an adaptive attack: Tramer et al. 2020, arXiv 2002.08347). joined: (logits (n,),
    logits (n,)) -> (n,), what the true class' logit and the rejection's make together.
    """

    def of_all(labels, logits):
        classes, rejection = logits[:, :-1], logits[:, -1]
        together = joined(tf.gather(classes, labels, batch_dims=1), rejection)
        true = tf.one_hot(labels, classes.shape[1], on_value=True, off_value=False)
        return loss(labels, tf.where(true, together[:, None], classes))

    return of_all


def _log_of_both(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """log(exp(first) + exp(second)): the logit of two answers together."""
    return tf.reduce_logsumexp(tf.stack([first, second]), axis=0)


def check_classes_of_dlr(n_classes: int) -> None:
    """Raises UserError for fewer than three classes, which have no third largest logit."""
    if n_classes < 3:
        raise UserError("the loss dlr needs three classes or more: choose the loss margin.")


def loss_named(
    name: str, scale: float | None = None, spare_rejection: bool = False
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A loss by its name in the config; scale is of scaled_cross_entropy.

    spare_rejection: the last of the logits is a rejection's and counts with the true class. Cross-entropy is then -log of
    both probabilities together (scaled, of both logits together before they are scaled), margin and dlr take the larger of
    both logits, so that they are positive just where the model is fooled.
    """
    losses = {"cross_entropy": cross_entropy, "margin": margin, "dlr": difference_of_logits_ratio}
    loss = scaled_cross_entropy(scale) if name == "scaled_cross_entropy" else losses[name]
    if not spare_rejection:
        return loss
    return sparing_rejection(loss, tf.maximum if name in ("margin", "dlr") else _log_of_both)
