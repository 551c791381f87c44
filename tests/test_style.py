"""The formatters and linters that the house uses find nothing."""

import pytest
from conftest import ROOT, copy_project, run


@pytest.mark.parametrize(
    "words",
    [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("snakefmt", "--check", "Snakefile", "rules")],
    ids=" ".join,
)
def test_code_is_clean(words):
    run(ROOT, *words)


def test_snakemake_lint(tmp_path):
    assert "Congratulations" in run(copy_project(tmp_path), "snakemake", "--lint").stdout
