"""Peak memory of every rule on arrays as large as CIFAR's, and whether it grows with epochs and epsilons.

50,000 training and 10,000 test images of random pixels, so that nothing has to be downloaded; a network so thin that this
takes minutes. Run from the clone's root by make bench.
"""

import hashlib
import io
import pickle
import tarfile
import tempfile
from pathlib import Path

import click
import numpy as np

from measurements import SCRIPTS, quick_study, run_study, write_rows

STUDIES = {
    "2,000 images attacked, 1 epoch, 2 epsilons": (2000, 1, ["0.05", "0.1"]),
    "2,000 images attacked, 3 epochs, 8 epsilons": (2000, 3, [f"{i / 80:g}" for i in range(1, 9)]),
    "10,000 images attacked, 1 epoch, 2 epsilons": (10000, 1, ["0.05", "0.1"]),
}


def write_archive(folder: Path) -> dict:
    """An archive in CIFAR-10's format in a folder, and the config's entry of it as a source."""
    rng, classes = np.random.default_rng(1), [f"class {i}" for i in range(10)]
    batches = {f"data_batch_{i}": 10000 for i in range(1, 6)} | {"test_batch": 10000}
    content = {"batches.meta": {b"label_names": [name.encode() for name in classes]}}
    for name, n in batches.items():
        pixels = rng.integers(0, 256, (n, 3072), dtype=np.uint8)
        content[name] = {b"data": pixels, b"labels": rng.integers(0, 10, n).tolist()}
    path = folder / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, value in content.items():
            data = pickle.dumps(value, protocol=2)  # that of the original files
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    sizes = {"n_classes": 10, "n_train": 50000, "n_test": 10000}
    file = {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    source = {"about": "random pixels", "licence": "none", "format": "cifar", "mirrors": [str(folder)], "files": [file]}
    return source | sizes


def study(source: dict, images: int, epochs: int, epsilons: list[str]) -> dict:
    """The quick study on that archive, with a thin network."""
    config = quick_study()
    dataset = config["datasets"].pop("fashion_mnist") | {"source": "random"}
    dataset["evaluation"]["n"] = images
    config["sources"], config["datasets"] = {"random": source}, {"random": dataset}
    for model in config["models"].values():
        model |= {"dataset": "random", "architecture": "vgg11", "width": 0.0625}
        model["training"] = model["training"] | {"epochs": epochs, "batch_size": 128}
    config["epsilons"], config["plots"] = epsilons, {}
    return config


@click.command()
@click.option("--cores", default=2, show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path), help="A row a study and rule: study, rule, jobs, peak_mb (.csv)."
)
def main(cores, output):
    """Run three studies and tell the largest peak of each rule."""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        source = write_archive(Path(temporary))
        for i, (name, size) in enumerate(STUDIES.items()):
            folder = Path(temporary) / str(i)
            (peaks := folder / "peaks").mkdir(parents=True)
            probe = {"PYTHONPATH": str(Path(__file__).with_name("memory_probe")), "PEAKS_FOLDER": str(peaks)}
            run_study(folder, study(source, *size), cores, variables=probe)
            found = [path.read_text().split() for path in peaks.iterdir()]
            programs = {path.stem for path in SCRIPTS.glob("*.py")}
            for program in sorted(programs & {name for name, _ in found}):
                own = [int(peak) for name, peak in found if name == program]
                rows.append({"study": name, "rule": program, "jobs": len(own), "peak_mb": max(own)})
                click.echo("  ".join(map(str, rows[-1].values())))
    write_rows(output, rows)


if __name__ == "__main__":
    main()
