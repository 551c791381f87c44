"""The page of the Fashion-MNIST study tells numbers of its own tables, and none that is not there."""

import csv
import re

import pytest
from conftest import ROOT

FOLDER = ROOT / "docs/fashion_mnist"
TABLES = sorted(path.name for path in FOLDER.glob("*.csv"))


def shares() -> set[str]:
    """Every accuracy and interval bound of the tables, in per cent with one digit, and every published number."""
    found = set()
    for name in TABLES:
        with open(FOLDER / name, newline="") as handle:
            for row in csv.DictReader(handle):
                for column, text in row.items():
                    if column == "published":
                        found.add(f"{float(text):.1f}")
                    elif re.search("accuracy|value|low|high|difference|measured", column) and text:
                        percent = 1 if name == "published.csv" else 100
                        found.add(f"{percent * abs(float(text)):.1f}") if re.fullmatch(r"-?[\d.e-]+", text) else None
    return found


def test_every_per_cent_of_the_page_stands_in_a_table():
    told = re.findall(r"(\d+\.\d)(?: %| points|, \d|\])", (FOLDER / "README.md").read_text())
    assert len(told) > 20
    assert not set(told) - shares()


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", (FOLDER / "README.md").read_text()))
def test_every_link_of_the_page_leads_somewhere(link):
    assert (FOLDER / link).exists()
