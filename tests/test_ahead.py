"""`make ahead`: what a study needs from the network is there before it goes to nodes that have none."""

from conftest import TINY, copy_project, run, snakemake

MAKE = ("make", "--old-file=.venv/run.stamp", "ahead")  # with the environment that the tests run in


def test_all_downloads_and_nothing_else_are_made_and_cached(tmp_path):
    clone, cache = copy_project(tmp_path / "clone"), tmp_path / "cache"
    cache.mkdir()
    run(clone, *MAKE, f"STUDY={TINY}", environment={"SNAKEMAKE_OUTPUT_CACHE": str(cache)})
    made = [path for path in (clone / "results").rglob("*") if path.is_file() and path.suffix != ".log"]
    assert len(made) == 4
    assert all(path.resolve().parent == cache for path in made)
    planned = snakemake(clone, "--dry-run")
    assert "preprocess_dataset" in planned
    assert "download_dataset " not in planned


def test_conda_environments_are_made_where_they_are_asked_for(tmp_path):
    clone = copy_project(tmp_path / "clone")
    command = "snakemake --cores 1 --use-conda --conda-create-envs-only --configfile studies/mine.yaml"
    for words, expected in (([], False), (["CONDA=1"], True)):
        assert (command in run(clone, *MAKE, "--dry-run", "STUDY=studies/mine.yaml", *words).stdout) == expected
