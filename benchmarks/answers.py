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

MODEL, BASELINE, ATTACK = "distilled", "undefended", "pgd"
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
    """A row an epsilon of the answer page of one seed."""
    table = comparisons(replace(records, seeds=(seed,)), verdicts, [(MODEL, BASELINE)], DIFFERENCE)
    clean, rows = table[table["attack"] == "clean"].iloc[0], []
    for epsilon in table.loc[table["attack"] == "worst_case", "epsilon"]:
        (answer,) = answers(table, epsilon, DIFFERENCE).to_dict("records")
        at = table[table["epsilon"] == epsilon].set_index("attack")
        row = {"run": name, "seed": seed, "epsilon": epsilon, "n": clean["n"]}
        for kind, found in (("clean", clean), (ATTACK, at.loc[ATTACK]), ("worst_case", at.loc["worst_case"])):
            row |= {f"{kind}_{BASELINE}": found["accuracy_baseline"], f"{kind}_{MODEL}": found["accuracy"]}
        together = at.loc["worst_case"]
        row |= {"gain": together["difference"], "gain_low": together["low"], "gain_high": together["high"]}
        row |= {"worst_case_verdict": together["verdict"], "verdict": answer["verdict"]}
        rows.append(row | {"raises_robust_accuracy": answer["raises robust accuracy"]})
    return rows


def markdown(table: pd.DataFrame) -> str:
    """The table of docs/quick_study, accuracies in per cent and the gain in points."""
    shown = pd.DataFrame({"run": table["run"], "seed": table["seed"], "epsilon": table["epsilon"]})
    for kind, words in (("clean", "clean"), (ATTACK, ATTACK), ("worst_case", "worst case")):
        pairs = zip(table[f"{kind}_{BASELINE}"], table[f"{kind}_{MODEL}"])
        shown[words] = [f"{100 * before:.1f} → {100 * after:.1f}" for before, after in pairs]
    bounds = zip(table["gain"], table["gain_low"], table["gain_high"])
    shown["gain under all attacks"] = [f"{100 * a:+.1f} [{100 * b:+.1f}, {100 * c:+.1f}]" for a, b, c in bounds]
    shown["worst cases"] = table["worst_case_verdict"]
    shown["verdict"], shown["raises robust accuracy"] = table["verdict"], table["raises_robust_accuracy"]
    return shown.to_markdown(index=False, disable_numparse=True) + "\n"


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
    write_text(text, f"# The answer of each run\n\n{markdown(found)}")


if __name__ == "__main__":
    main()
