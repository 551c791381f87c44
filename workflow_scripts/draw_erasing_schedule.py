"""Draw the rectangles of random erasing for every training image and pass."""

import click

from robustness.cli import in_file, out_file, program, seed_option


@program
@in_file("--info", "dataset.json, for the number and shape of the training images.")
@click.option("--probability", type=click.FloatRange(0, 1), required=True, help="Of an image to be erased.")
@click.option("--area", type=click.FloatRange(0, 1), nargs=2, required=True, help="s_l and s_h, shares of the area.")
@click.option("--aspect", type=float, nargs=2, required=True, help="r_1 and r_2, height divided by width.")
@click.option("--passes", type=click.IntRange(min=1), required=True, help="Epoch e uses pass e modulo this number.")
@seed_option("Seed of the rectangles; each pass derives its own.")
@out_file("--output", "Rectangles, pass x image x (x, y, h, w) in pixels (.npz).")
def main(info, probability, area, aspect, passes, seed, output):
    """Draw the rectangles of random erasing for every training image and pass (Zhong et al., algorithm 1)."""
    from robustness.data.erasing import ErasingSettings, draw_schedule
    from robustness.files import read_json, write_npz

    content = read_json(info)
    height, width, _ = content["shape"]
    schedule = draw_schedule(
        content["n_train"], height, width, ErasingSettings(probability, area, aspect), passes, seed
    )
    write_npz(output, rectangles=schedule)
    click.echo(f"{(schedule[..., 2] > 0).mean():.4f} of {schedule[..., 2].size} images erased")


if __name__ == "__main__":
    main()
