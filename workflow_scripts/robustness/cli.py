"""What every command-line program shares: how it logs and how it fails."""

import functools
import gc
import json
import logging
import os
import sys
from collections.abc import Callable

import click

from robustness.errors import UserError


def program(function: Callable) -> click.Command:
    """Make a click command of a function: a UserError becomes one line on standard error and exit status 1.

    The first line of the function's docstring is the command's help.
    """

    @functools.wraps(function)
    def run(*args, **options):
        gc.set_threshold(
            100_000, 20, 20
        )  # importing TensorFlow is a sixth faster when garbage is looked for less often
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's own chatter is no news for a log
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
        try:
            return function(*args, **options)
        except UserError as error:
            raise click.ClickException(str(error)) from error
        except FileNotFoundError as error:
            raise click.ClickException(f"{error.filename} does not exist: check the path.") from error

    return click.command(context_settings={"show_default": True, "max_content_width": 110})(run)


def in_file(name: str, text: str, *, required: bool = True, **more) -> Callable:
    """An option that names an existing file to read."""
    return click.option(name, type=click.Path(exists=True, dir_okay=False), required=required, help=text, **more)


def out_file(name: str, text: str, **more) -> Callable:
    """An option that names a file to write."""
    return click.option(name, type=click.Path(dir_okay=False), required=True, help=text, **more)


def in_folder(name: str, text: str) -> Callable:
    """An option that names an existing folder to read from."""
    return click.option(name, required=True, type=click.Path(exists=True, file_okay=False), help=text)


def seed_option(text: str) -> Callable:
    """The seed of every random draw of a program."""
    return click.option("--seed", type=click.IntRange(min=0), required=True, help=text)


def threads_option() -> Callable:
    """The number of threads that TensorFlow may use."""
    return click.option(
        "--threads",
        type=click.IntRange(min=1),
        default=1,
        help="Threads that TensorFlow uses; another number rounds otherwise.",
    )


def gpu_option() -> Callable:
    """Whether a program may compute on nothing but a GPU."""
    return click.option(
        "--gpu",
        is_flag=True,
        help="Compute on a GPU that no other program with this option has, and end at once where there is none; without it "
        "on a GPU if one is found, else on the CPU.",
    )


def unit_option() -> Callable:
    """The unit of every epsilon and step of a program."""
    return click.option(
        "--epsilon-unit",
        type=click.Choice(["0-1", "0-255"]),
        required=True,
        help="The pixel range that epsilons and steps are told on, whatever the network's own range is.",
    )


def norm_option(*more: str) -> Callable:
    """The norm of every epsilon of a program: inf or 2, or one of `more`."""
    return click.option(
        "--norm", type=click.Choice(["inf", "2", *more]), default="inf", help="Norm that epsilon bounds."
    )


def json_option(name: str, text: str, **more) -> Callable:
    """An option that takes a JSON object, which the program gets as a mapping; anything else is told in a sentence."""

    def mapping(_context: click.Context, _option: click.Parameter, given: str) -> dict:
        try:
            content = json.loads(given)
        except json.JSONDecodeError:
            content = None
        if not isinstance(content, dict):
            raise click.BadParameter(f"'{given}' is no JSON object: write it like '{{\"name\": 1}}'.")
        return content

    return click.option(name, callback=mapping, metavar="JSON", help=text, **more)


def batch_size_option() -> Callable:
    """How many images are attacked at a time."""
    return click.option("--batch-size", type=click.IntRange(min=1), default=250, help="Images a gradient.")


def records_options(function: Callable) -> Callable:
    """Where the records of single attacks on a model are, for programs that read several."""
    folder = in_folder("--evaluation-folder", "Records of the model: clean.csv and attacks/ATTACK.csv.")
    recorded = click.option(
        "--recorded",
        multiple=True,
        nargs=2,
        metavar="ATTACK EPSILONS",
        help="An attack whose records are read, and its epsilons, separated by commas.",
    )
    return folder(recorded(function))


def runs_options(function: Callable) -> Callable:
    """What a study consists of, for programs that read all of its records."""
    folder = in_folder("--evaluation-folder", "Holds the records and summaries, as MODEL/seedSEED/...")
    model = click.option("--model", "models", multiple=True, required=True, help="A model; once for each.")
    seed = click.option("--seed", "seeds", multiple=True, required=True, type=int, help="A seed; once for each.")
    attack = click.option(
        "--attack",
        "attacks",
        multiple=True,
        nargs=3,
        metavar="NAME MODELS EPSILONS",
        help="An attack, the models that it was run on and its epsilons, both separated by commas.",
    )
    worst_case = click.option(
        "--worst-case",
        "worst_cases",
        multiple=True,
        nargs=2,
        metavar="MODEL NORM",
        help="A model and a norm in which its worst case is recorded.",
    )
    transfer = click.option(
        "--transfer", "transfers", multiple=True, metavar="MODEL", help="A model with transfer records; once for each."
    )
    for option in (transfer, worst_case, attack, seed, model, folder):
        function = option(function)
    return function


def figure_options(function: Callable) -> Callable:
    """The two outputs of every plotting program."""
    return out_file("--png", "The figure as PNG.")(out_file("--svg", "The figure as SVG.")(function))
