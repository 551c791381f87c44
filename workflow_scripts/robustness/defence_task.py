"""What a defence of robustness/defences gets to know."""

from dataclasses import dataclass

import keras

from robustness.datasets import DatasetInfo, Images
from robustness.epsilon_units import pixel_scale


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
