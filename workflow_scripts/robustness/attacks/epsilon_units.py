"""The pixel ranges that epsilons and steps are told on, and what they mean in the pixels of a network."""

EPSILON_UNITS = {"0-1": 1, "0-255": 255}


def epsilon_scale(norm: str, unit: str, pixel_range: tuple[float, float]) -> float:
    """What an epsilon of a norm is multiplied by for a network: pixel_scale, but 1 in norm 0, whose epsilon is a share of values."""
    return 1.0 if norm == "0" else pixel_scale(unit, pixel_range)


def pixel_scale(unit: str, pixel_range: tuple[float, float]) -> float:
    """Pixel units of a network per unit of epsilon: '0-1' spans the pixel range with 1, '0-255' with 255."""
    return (pixel_range[1] - pixel_range[0]) / EPSILON_UNITS[unit]
