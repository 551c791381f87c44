"""Bring one file of a dataset, or of pretrained weights, from its first working mirror and verify it."""

from pathlib import Path

import click

from robustness.cli import out_file, program
from robustness.data.download import fetch_file, local_copy, pack_image_folder
from robustness.errors import UserError


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
@click.option("--sha256-unpacked", help="Expected SHA-256 of what the gzip file unpacks to.")
@click.option("--image-folder", is_flag=True, help="The mirrors are folders of train/CLASS/ and test/CLASS/ images.")
@out_file("--output", "The verified file (for an image folder: one tar of all images).")
def main(name, mirrors, sha256, sha256_unpacked, image_folder, output):
    """Bring one file of a dataset, or of pretrained weights, from its first working mirror and verify it.

    If a checksum is given, a broken download leaves OUTPUT.download behind and goes on from there in the next run.
    """
    if image_folder:
        if folder := local_copy(name, mirrors, image_folder):
            click.echo(f"{pack_image_folder(folder, Path(output), sha256)} images from {folder}")
            return
        raise UserError(f"none of {', '.join(mirrors)} is a folder of this machine: mend the source's mirrors.")
    click.echo(f"{name} from {fetch_file(name, list(mirrors), Path(output), sha256, sha256_unpacked)}")


if __name__ == "__main__":
    main()
