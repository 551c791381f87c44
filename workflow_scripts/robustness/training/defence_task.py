"""What a defence of robustness/defences gets to know."""

from dataclasses import dataclass

import keras

from robustness.attacks.epsilon_units import pixel_scale
from robustness.data.datasets import DatasetInfo, Images
from robustness.errors import UserError
from robustness.models.rejection import LAST_LAYER, rejects


@dataclass(frozen=True)
class Task:
    """The network to be defended and its data.

    network: from pixels in info.pixel_range to logits; of a defence that trains, with the weights that training starts
    from. validation: held-out images, 8 bit. epsilon_unit: of the epsilons among its settings. seed: of its chance.
    one_hot: whether labels are (n, classes) or (n,) integers in training. initial: the trained network that it goes on
    from, None where weights are drawn.
    """

    network: keras.Model
    info: DatasetInfo
    validation: Images
    epsilon_unit: str
    seed: int
    one_hot: bool = False
    initial: keras.Model | None = None

    @property
    def scale(self) -> float:
        """Pixel units of the network per unit of epsilon."""
        return pixel_scale(self.epsilon_unit, self.info.pixel_range)


def check_network(method: str, network: keras.Model, n_classes: int, rejecting: bool) -> None:
    """Raises UserError where a defended network does not put out a logit a class and, just if `rejecting`, a rejection's.

    rejecting: what the file of the method declares as REJECTS.
    """
    outputs, rejection = network.output_shape[-1], "a" if rejects(network) else "no"
    if rejects(network) != rejecting or outputs != n_classes + rejecting:
        raise UserError(
            f"robustness/defences/{method}.py says REJECTS = {rejecting}, but its network has {outputs} outputs for "
            f"{n_classes} classes and {rejection} last layer named {LAST_LAYER}: correct the one or the other."
        )


def check_trainer(method: str, trainer: keras.Model, network: keras.Model) -> None:
    """Raises UserError where a trainer does not train all of the network, which is what is kept, or has other outputs."""
    trained = {id(variable) for variable in trainer.trainable_variables}
    if not all(id(variable) in trained for variable in network.trainable_variables):
        raise UserError(
            f"robustness/defences/{method}.py makes a trainer that does not train task.network, which is what is kept: build it "
            "around that."
        )
    outputs = trainer.compute_output_spec(keras.KerasTensor((None, *network.input_shape[1:]))).shape[-1]
    if outputs != network.output_shape[-1]:
        raise UserError(
            f"robustness/defences/{method}.py makes a trainer of {outputs} outputs around a network of "
            f"{network.output_shape[-1]}: let it put out the logits of task.network, which has a rejection's if REJECTS = True."
        )
