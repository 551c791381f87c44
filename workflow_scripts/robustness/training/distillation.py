"""Distillation of a student network from a teacher (Hinton et al. 2015; as a defence, Papernot et al. 2016)."""

from dataclasses import dataclass

import keras
from keras import ops


@dataclass(frozen=True)
class Distillation:
    """The loss of a student.

    temperature: T of the soft labels. alpha: weight of the cross-entropy with the true labels; 0 is Papernot's
    defensive distillation. t_squared: multiply the soft part by T squared (Hinton et al., section 2).
    hard_temperature: the true labels' cross-entropy sees logits / hard_temperature (1 in the thesis' listing A.2).
    """

    temperature: float
    alpha: float
    t_squared: bool = False
    hard_temperature: float = 1.0


def distillation_losses(labels, student_logits, teacher_logits, settings: Distillation):
    """Both parts of the student's loss, averaged over the batch: (hard, soft); no factor of alpha in them.

    labels: (n,) integers or (n, classes) one-hot. hard: cross-entropy of the true labels.
    soft: KL(softmax(teacher / T) || softmax(student / T)), natural logarithm, times T squared if settings say so.
    """
    one_hot = len(labels.shape) == 2 and labels.shape[-1] == student_logits.shape[-1]
    entropy = keras.losses.categorical_crossentropy if one_hot else keras.losses.sparse_categorical_crossentropy
    hard = ops.mean(entropy(labels, student_logits / settings.hard_temperature, from_logits=True))
    # Log-softmax of both sides: the divergence of nearly equal distributions drowns in softmax's rounding otherwise.
    student = ops.log_softmax(student_logits / settings.temperature, axis=-1)
    teacher = ops.log_softmax(teacher_logits / settings.temperature, axis=-1)
    soft = ops.mean(ops.sum(ops.exp(teacher) * (teacher - student), axis=-1))
    return hard, soft * (settings.temperature**2 if settings.t_squared else 1.0)


class Distiller(keras.Model):
    """Trains `student`; `teacher` sees the same images in inference mode and stays as it is."""

    def __init__(self, student: keras.Model, teacher: keras.Model, settings: Distillation):
        super().__init__()
        teacher.trainable = False
        self.student, self.teacher, self.settings = student, teacher, settings
        self.hard_tracker = keras.metrics.Mean(name="hard_loss")
        self.soft_tracker = keras.metrics.Mean(name="soft_loss")

    def call(self, inputs, training=None):
        return self.student(inputs, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """alpha x hard + (1 - alpha) x soft, plus the student's weight decay."""
        hard, soft = distillation_losses(y, y_pred, self.teacher(x, training=False), self.settings)
        size = ops.shape(y_pred)[0]  # weighs a smaller last batch as the loss itself is weighed
        self.hard_tracker.update_state(hard, sample_weight=size)
        self.soft_tracker.update_state(soft, sample_weight=size)
        loss = self.settings.alpha * hard + (1 - self.settings.alpha) * soft
        for penalty in self.student.losses:
            loss = loss + penalty
        return loss
