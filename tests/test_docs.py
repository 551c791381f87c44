"""The pages in docs/: every number with an interval stands in a table beside it, every link leads somewhere."""

import csv
import re

import pytest
from conftest import ROOT

PAGES = sorted((ROOT / "docs").glob("*/README.md"))
# The columns of a table that make a number with its interval, and what brings them to the page's unit.
INTERVALS = [
    ("accuracy", "ci_low", "ci_high", 100),
    ("difference", "low", "high", 100),
    ("value", "low", "high", 100),
    ("measured", "measured_low", "measured_high", 1),
    ("published", "published_low", "published_high", 1),
    *(
        (share, f"{share.rsplit('_', 1)[0]}_low", f"{share.rsplit('_', 1)[0]}_high", 100)
        for share in ("rejection_rate", "detection_rate", "handled_rate", "accepted_accuracy", "robust_accuracy")
    ),
    ("agreement", "agreement_low", "agreement_high", 100),
    ("success", "ci_low", "ci_high", 100),
]
TOLD = re.compile(r"([+-]?\d+\.\d)\s(?:%|points)\s\[([+-]?\d+\.\d),\s([+-]?\d+\.\d)\]")


def intervals_of(folder) -> set[tuple[str, ...]]:
    """Every (number, low, high) of the tables in a folder, as the page would write it, without a plus."""
    found = set()
    for path in folder.glob("*.csv"):
        with open(path, newline="", encoding="utf-8") as handle:
            for row in csv.DictReader(handle):
                for *columns, factor in INTERVALS:
                    if all(row.get(column) for column in columns):
                        found.add(tuple(f"{factor * float(row[column]):.1f}" for column in columns))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_every_number_with_an_interval_stands_in_a_table(page):
    told = {tuple(number.removeprefix("+") for number in numbers) for numbers in TOLD.findall(page.read_text())}
    assert not told - intervals_of(page.parent)


def test_the_page_of_the_report_tells_its_numbers():
    """So that the test above does not pass for a page without any."""
    assert len(TOLD.findall((ROOT / "docs/fashion_mnist/README.md").read_text())) > 20


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=str)
def test_every_link_leads_somewhere(page):
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", text) if "://" not in link[0]]
    targets = [(page.parent / path if path else page, anchor) for path, anchor in links]
    assert not [path for path, _ in targets if not path.exists()]
    assert not [(path, anchor) for path, anchor in targets if anchor and anchor not in anchors(path)]


def anchors(page) -> set[str]:
    """The anchors that a page's headings have where it is shown."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
