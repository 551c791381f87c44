"""Whether the quick study's answer depends on the seed or the machine: its page of each seed of finished runs, side by side.

Run from the clone's root by make docs-answers. Every seed is judged by itself, as a study with this seed alone would be.
"""

import sys
from dataclasses import replace
from pathlib import Path

import click
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow_scripts"))

from robustness.evaluation.records import read_records, write_records
from robustness.evaluation.study_records import StudyRecords
from robustness.files import read_json, write_text
from robustness.tables.findings import comparisons
from robustness.tables.findings_page import answers

MODEL, BASELINE, ATTACK, EPSILON = "distilled", "undefended", "pgd", "0.1"  # the page answers at the middle epsilon
DIFFERENCE = 0.05  # of findings, the schema's default


def records_of(results: Path) -> StudyRecords:
    """The records of the quick study's attacked models in a results folder."""
    evaluation = results / "evaluation"
    seeds = tuple(sorted(int(path.name.removeprefix("seed")) for path in (evaluation / MODEL).glob("seed*")))
    folder = evaluation / MODEL / f"seed{seeds[0]}"
    attacks = [
        (path.stem, f"{BASELINE},{MODEL}", ",".join(read_json(path)["epsilons"]))
        for path in sorted((folder / "attacks").glob("*.json"))
    ]
    models = (BASELINE, MODEL)
    return StudyRecords.of_options(evaluation, models, seeds, attacks, [(model, "inf") for model in models], models)


def of_one_seed(name: str, records: StudyRecords, verdicts: pd.DataFrame, seed: int) -> list[dict]:
    """A row an epsilon of one seed; that of the answer page has its answer."""
    table = comparisons(replace(records, seeds=(seed,)), verdicts, [(MODEL, BASELINE)], DIFFERENCE)
    clean, rows = table[table["attack"] == "clean"].iloc[0], []
    (answer,) = answers(table, EPSILON, DIFFERENCE).to_dict("records")
    for epsilon in table.loc[table["attack"] == "worst_case", "epsilon"]:
        at = table[table["epsilon"] == epsilon].set_index("attack")
        row = {"run": name, "seed": seed, "epsilon": epsilon, "n": clean["n"]}
        for kind, found in (("clean", clean), (ATTACK, at.loc[ATTACK]), ("worst_case", at.loc["worst_case"])):
            row |= {f"{kind}_{BASELINE}": found["accuracy_baseline"], f"{kind}_{MODEL}": found["accuracy"]}
        together = at.loc["worst_case"]
        row |= {"difference": together["difference"], "low": together["low"], "high": together["high"]}
        row |= {"worst_case_verdict": together["verdict"]}
        of_page = {"verdict": answer["verdict"], "raises_robust_accuracy": answer["raises robust accuracy"]}
        rows.append(row | (of_page if epsilon == EPSILON else dict.fromkeys(of_page, "")))
    return rows


def markdown(table: pd.DataFrame) -> str:
    """A row a run and seed, at the page's epsilon: accuracies in per cent, gains in points with 95 % intervals."""
    here = table[table["epsilon"] == EPSILON]
    shown = {"run": here["run"], "seed": here["seed"]}
    for kind, words in (
        ("clean", "clean"),
        (ATTACK, f"{ATTACK} at {EPSILON}"),
        ("worst_case", f"worst case at {EPSILON}"),
    ):
        pairs = zip(here[f"{kind}_{BASELINE}"], here[f"{kind}_{MODEL}"])
        shown[words] = [f"{100 * before:.1f} → {100 * after:.1f}" for before, after in pairs]
    shown["worst cases"] = here["worst_case_verdict"]
    for epsilon, rows in table.groupby("epsilon", sort=False):
        bounds = zip(rows["difference"], rows["low"], rows["high"])
        shown[f"gain at {epsilon}"] = [f"{100 * a:+.1f} [{100 * b:+.1f}, {100 * c:+.1f}]" for a, b, c in bounds]
    shown |= {"verdict": here["verdict"], "raises robust accuracy": here["raises_robust_accuracy"]}
    columns = {name: list(values) for name, values in shown.items()}
    return pd.DataFrame(columns).to_markdown(index=False, disable_numparse=True) + "\n"


@click.command()
@click.option(
    "--run", "runs", multiple=True, nargs=2, required=True, metavar="NAME FOLDER", help="A run and its results folder."
)
@click.option("--table", required=True, help="A row a run, seed and epsilon (.csv).")
@click.option("--text", required=True, help="The same as text (.md).")
def main(runs, table, text):
    """Judge every seed of finished runs of the quick study by itself."""
    rows = []
    for name, folder in runs:
        records, verdicts = records_of(Path(folder)), read_records(Path(folder) / "tables/verdicts.csv")
        for seed in records.seeds:
            rows += of_one_seed(name, records, verdicts, seed)
    found = pd.DataFrame(rows)
    write_records(found, table)
    write_text(text, f"# The answer of each run\n\nFrom undefended → distilled.\n\n{markdown(found)}")


if __name__ == "__main__":
    main()
