"""How figures look and how they are saved. Figures show what records and tables hold; they compute no result."""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter

from robustness.files import whole_file

# Okabe and Ito's colours, told apart by colour-blind readers, and for more than seven lines three darker ones of Tol's and a
# grey; markers repeat what the colour says.
COLOURS = [
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
    *("#882255", "#999933", "#332288", "#888888"),
]
MARKERS = "osD^vPX"
SCALES = {"accuracy": 100, "zero_gradients": 100, "loss": 1, "perturbation": 1}  # from a table's unit to a figure's
STYLE = {
    "figure.dpi": 150,
    "font.size": 10,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.hashsalt": "robustness",  # the same figure gives the same bytes
}


def fill_title(title: str, **values: object) -> str:
    """Replace {name} in a title by its value; other braces stay as they are."""
    for name, value in values.items():
        title = title.replace(f"{{{name}}}", str(value))
    return title


@contextmanager
def figure(png: str, svg: str, *layout, **settings) -> Iterator:
    """Give (figure, axes) of plt.subplots and save it as both files at the end."""
    with plt.rc_context(STYLE):
        made, axes = plt.subplots(*layout, layout="constrained", **settings)
        yield made, axes
        with whole_file(png) as first, whole_file(svg) as second:
            made.savefig(first, metadata={"Software": None})
            made.savefig(second, metadata={"Date": None})
        plt.close(made)


def look(i: int) -> dict:
    """Colour and marker of the i-th line."""
    return {
        "color": COLOURS[i % len(COLOURS)],
        "marker": MARKERS[(i // len(COLOURS) + i) % len(MARKERS)],
        "markersize": 4,
    }


def draw_band(axes, line, metric: str, i: int, **style) -> None:
    """Draw one line of a table of curves (columns x, value, low, high), with its band, as the i-th of its axes."""
    low, value, high = (SCALES[metric] * line[column] for column in ("low", "value", "high"))
    axes.plot(line["x"], value, **style, **look(i))
    axes.fill_between(line["x"], low, high, color=look(i)["color"], alpha=0.15, linewidth=0)


def label_metric(axes, metric: str, seeds: int) -> None:
    """Scale and label of the vertical axis; seeds: how many each point stands for, which says what the band is."""
    shares = {"accuracy": "accuracy", "zero_gradients": "images without a gradient"}
    if metric in shares:
        band = "95 % Wilson interval" if seeds == 1 else f"least to greatest of {seeds} seeds"
        axes.set_ylim(-2, 102)
        axes.set_ylabel(f"{shares[metric]}, % (band: {band})")
    elif metric == "perturbation":
        axes.set_ylim(bottom=0)
        axes.set_ylabel("longest perturbation (thin line: epsilon)")
    else:
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("mean cross-entropy, nats (log scale above 1)")


def log_axis(axes, values) -> None:
    """A logarithmic horizontal axis with a tick at each of these values, at round numbers if there are more than ten."""
    counts = sorted(set(values))
    ticks = FixedLocator(counts) if len(counts) <= 10 else LogLocator(subs=(1, 2, 5))
    axes.set_xscale("log")
    axes.xaxis.set(major_locator=ticks, minor_locator=NullLocator(), major_formatter=StrMethodFormatter("{x:g}"))


def show_image(axes, image: np.ndarray, low: float, high: float) -> None:
    """Draw one (height, width, channels) image without axes; a single channel in grey."""
    axes.imshow(
        np.clip((image - low) / (high - low), 0, 1).squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="nearest"
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
