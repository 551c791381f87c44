"""Build a conda channel out of the running interpreter and what is installed beside it, for the tests of --use-conda.

The packages are whole copies, so that an environment of them needs nothing of the interpreter that they come from. What
they hold was made by pip, not by conda-forge: that conda-forge has these versions is not tested by them.
"""

import hashlib
import io
import json
import os
import platform
import sys
import sysconfig
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import click
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SUBDIRS = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}  # conda's names of platforms
CONDA_NAMES = {"matplotlib": "matplotlib-base", "tzdata": "python-tzdata"}  # where they differ from the index's
INDEX_NAMES = {conda: index for index, conda in CONDA_NAMES.items()}
LEFT_OUT = {"__pycache__", "dist-packages", "idlelib", "site-packages", "test", "tests", "turtledemo"}


@dataclass
class Package:
    """A conda package: its name, version and dependencies, and its files and links by their place in an environment."""

    name: str
    version: str
    depends: list[str]
    files: dict[str, Path]
    links: dict[str, str] = field(default_factory=dict)


@click.command()
@click.argument("channel", type=click.Path(path_type=Path))
@click.argument("environments", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(channel: Path, environments: tuple[Path, ...]) -> None:
    """Build in the folder CHANNEL all that the conda part of the ENVIRONMENTS (.yaml) needs."""
    wanted = {"pip"}  # conda gives it to every environment that has Python
    for file in environments:
        for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["dependencies"]:
            wanted |= {entry.split()[0]} if isinstance(entry, str) else set()
    packages = [python_package(), *distribution_packages(wanted - {"python"})]

    subdir = SUBDIRS[platform.machine()]
    with ThreadPoolExecutor() as pool:  # threads, since bz2 lets others run while it compresses
        records = dict(pool.map(lambda package: write_package(package, channel / subdir), packages))
    for name, content in ((subdir, records), ("noarch", {})):  # conda insists on noarch
        (channel / name).mkdir(exist_ok=True)
        index = {"info": {"subdir": name}, "packages": content, "packages.conda": {}, "repodata_version": 1}
        (channel / name / "repodata.json").write_text(json.dumps(index, indent=1), encoding="utf-8")


def python_package() -> Package:
    """The interpreter: program, shared library if it has one, standard library."""
    base = Path(sys.base_prefix)
    program, library = base / f"bin/python{PYTHON}", base / "lib" / (sysconfig.get_config_var("INSTSONAME") or "")
    found = [program] + [library] * (library.is_file() and library.suffix != ".a")
    for folder, folders, names in os.walk(sysconfig.get_path("stdlib")):
        folders[:] = [name for name in folders if name not in LEFT_OUT and not name.startswith("config-")]
        found += [Path(folder, name) for name in names if not name.endswith((".a", ".pyc"))]
    links = {f"bin/{name}": f"python{PYTHON}" for name in ("python", "python3")}
    return Package("python", platform.python_version(), [], {str(p.relative_to(base)): p for p in found}, links)


def distribution_packages(wanted: set[str]) -> list[Package]:
    """The named conda packages and all that these need, one package for each distribution."""
    packages, todo = {}, sorted(wanted)
    while todo:
        name = todo.pop()
        if name not in packages:
            packages[name] = distribution_package(name)
            todo += [needed for needed in packages[name].depends if not needed.startswith("python ")]
    return list(packages.values())


def distribution_package(name: str) -> Package:
    """A distribution, with the files that pip noted in its RECORD."""
    try:
        found = distribution(INDEX_NAMES.get(name, name))
    except PackageNotFoundError as error:
        raise click.ClickException(f"{name} is not installed beside {sys.executable}: install it.") from error
    if not found.files:
        raise click.ClickException(f"the installation of {name} has no list of files: install it anew by pip.")
    paths = [Path(os.path.normpath(found.locate_file(file))) for file in found.files]
    files = {str(p.relative_to(sys.prefix)): p for p in paths if p.suffix != ".pyc" and p.is_file()}
    return Package(name, found.version, [f"python {PYTHON}.*", *needs(found)], files)


def needs(found: Distribution) -> list[str]:
    """The conda names of a distribution's dependencies; of each the channel has one version, so none is asked for."""
    requirements = map(Requirement, found.requires or [])
    met = [r for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    return sorted({CONDA_NAMES.get(name, name) for name in (canonicalize_name(r.name) for r in met)})


def write_package(package: Package, folder: Path) -> tuple[str, dict]:
    """Write a package (.tar.bz2); returns its file name and its entry in the channel's index."""
    index = {"name": package.name, "version": package.version, "depends": package.depends, "subdir": folder.name}
    index |= {"build": "0", "build_number": 0}
    paths = [{"_path": place, "path_type": "softlink"} for place in package.links]
    path = folder / f"{package.name}-{package.version}-0.tar.bz2"
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:bz2", compresslevel=1) as archive:
        for place, target in package.links.items():
            add(archive, place, type=tarfile.SYMTYPE, linkname=target)
        for place, source in package.files.items():
            content = movable(source.read_bytes()) if place.startswith("bin/python") else source.read_bytes()
            add(archive, place, content, mode=0o755 if os.access(source, os.X_OK) else 0o644)
            entry = {"_path": place, "path_type": "hardlink", "size_in_bytes": len(content)}
            entry["sha256"] = hashlib.sha256(content).hexdigest()
            if place.startswith("bin/") and sys.prefix.encode() in content:  # the first line of a script
                entry |= {"file_mode": "text", "prefix_placeholder": sys.prefix}  # conda puts its own path there
            paths.append(entry)
        for name, content in (("index", index), ("paths", {"paths": paths, "paths_version": 1})):
            add(archive, f"info/{name}.json", json.dumps(content, indent=1).encode())
    packed = path.read_bytes()
    index |= {"md5": hashlib.md5(packed).hexdigest(), "sha256": hashlib.sha256(packed).hexdigest()}
    return path.name, index | {"size": len(packed)}


def movable(program: bytes) -> bytes:
    """A program that looks for its shared library beside itself, no longer in the folder that it was built for.

    The search path is a string between two zeros: a shorter one can take its place. Where it is too short for that, or
    is not there, nothing is to be done: the program looks in the system's folders, or has no such library.
    """
    built_for, beside = f"{sys.base_prefix}/lib".encode(), b"$ORIGIN/../lib"
    if len(built_for) < len(beside):
        return program
    return program.replace(b"\0" + built_for + b"\0", b"\0" + beside.ljust(len(built_for), b"\0") + b"\0")


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", **attributes) -> None:
    """Add a member to an archive."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for key, value in attributes.items():
        setattr(member, key, value)
    archive.addfile(member, io.BytesIO(content))


if __name__ == "__main__":
    main()
