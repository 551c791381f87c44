"""Gather the records' summaries into the tables of robust and clean accuracy."""

from pathlib import Path

import click

from robustness.cli import program


@program
@click.option(
    "--evaluation-folder",
    required=True,
    type=click.Path(exists=True, file_okay=False),
    help="Holds MODEL/seedSEED/clean.json and MODEL/seedSEED/ATTACK/epsEPSILON.json.",
)
@click.option("--model", "models", multiple=True, required=True, help="A model; once for each.")
@click.option("--seed", "seeds", multiple=True, required=True, type=int, help="A seed; once for each.")
@click.option(
    "--attack",
    "attacks",
    multiple=True,
    nargs=3,
    metavar="NAME MODELS EPSILONS",
    help="An attack, the models that it was run on and its epsilons, both separated by commas.",
)
@click.option(
    "--output-folder",
    required=True,
    type=click.Path(file_okay=False),
    help="Where robust_accuracy and clean_accuracy go, as .csv, .md and .tex, and curves.csv for the figures.",
)
def main(evaluation_folder, models, seeds, attacks, output_folder):
    """Gather the records' summaries into the tables of robust and clean accuracy: .csv, Markdown and LaTeX."""
    from robustness import tables
    from robustness.files import read_json, whole_file
    from robustness.records import write_records

    source, target = Path(evaluation_folder), Path(output_folder)
    clean_summaries = [read_json(source / model / f"seed{seed}" / "clean.json") for model in models for seed in seeds]
    clean = tables.clean_accuracy(clean_summaries)
    robust = tables.robust_accuracy(
        [
            read_json(source / model / f"seed{seed}" / name / f"eps{epsilon}.json")
            for model in models
            for seed in seeds
            for name, attacked, epsilons in attacks
            if model in attacked.split(",")
            for epsilon in epsilons.split(",")
        ],
        clean_summaries,
    )
    write_records(clean, target / "clean_accuracy.csv")
    write_records(robust, target / "robust_accuracy.csv")
    write_records(tables.curves(robust, clean), target / "curves.csv")
    texts = {
        "clean_accuracy.md": tables.clean_markdown(clean),
        "clean_accuracy.tex": tables.clean_latex(clean),
        "robust_accuracy.md": tables.robust_markdown(robust, clean),
        "robust_accuracy.tex": tables.robust_latex(robust, clean),
    }
    for name, text in texts.items():
        with whole_file(target / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
