"""What a finished study spent where: jobs, seconds and their share, by rule, from the benchmark files of its run."""

from pathlib import Path

import click

from measurements import seconds_by_rule


@click.command()
@click.argument("results", default="results", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(results: Path) -> None:
    """Print jobs and wall seconds of each rule of the study in the folder RESULTS, most expensive first.

    Seconds are added over jobs; jobs that ran side by side count each, so that on two cores about half of it passed.
    """
    seconds = seconds_by_rule(results)
    total = sum(map(sum, seconds.values()))
    print(f"{'rule':26}{'jobs':>6}{'seconds':>10}{'share':>8}")
    for rule, found in sorted(seconds.items(), key=lambda item: -sum(item[1])):
        print(f"{rule:26}{len(found):6}{sum(found):10.1f}{sum(found) / total:8.1%}")
    print(f"{'all':26}{sum(map(len, seconds.values())):6}{total:10.1f}")


if __name__ == "__main__":
    main()
