"""What every command-line program shares: how it logs and how it fails."""

import functools
import gc
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


def figure_options(function: Callable) -> Callable:
    """The two outputs of every plotting program."""
    return out_file("--png", "The figure as PNG.")(out_file("--svg", "The figure as SVG.")(function))
