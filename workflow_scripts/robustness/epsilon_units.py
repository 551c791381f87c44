"""The pixel ranges that epsilons and steps are told on, and what they mean in the pixels of a network."""

EPSILON_UNITS = {"0-1": 1, "0-255": 255}


def pixel_scale(unit: str, pixel_range: tuple[float, float]) -> float:
    """Pixel units of a network per unit of epsilon: '0-1' spans the pixel range with 1, '0-255' with 255."""
    return (pixel_range[1] - pixel_range[0]) / EPSILON_UNITS[unit]
