"""Bring one file of pretrained weights from its first working mirror and verify it."""

from pathlib import Path

import click

from robustness.cli import out_file, program
from robustness.download import fetch_file


@program
@click.option("--name", required=True, help="Name of the file below each mirror.")
@click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    required=True,
    help="Address (http, https) or path of this machine; several are tried in the order given.",
)
@click.option("--sha256", help="Expected SHA-256 of the file, 64 hexadecimal digits.")
@out_file("--output", "The verified file.")
def main(name, mirrors, sha256, output):
    """Bring one file of pretrained weights from its first working mirror and verify it.

    If a checksum is given, a broken download leaves OUTPUT.download behind and goes on from there in the next run.
    """
    click.echo(f"{name} from {fetch_file(name, list(mirrors), Path(output), sha256)}")


if __name__ == "__main__":
    main()
