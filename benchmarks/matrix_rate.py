"""The machine's matrix rate: GFLOP/s of TensorFlow's float32 product of two 2048 x 2048 matrices, the best of ten.

What any network's forward and backward passes can come up to at most. Prints the number alone.
"""

import time

import click

SIDE = 2048


@click.command()
@click.option("--threads", required=True, type=int)
def main(threads: int) -> None:
    """Print GFLOP/s on so many threads."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    left, right = tf.random.normal((SIDE, SIDE)), tf.random.normal((SIDE, SIDE))
    tf.matmul(left, right)
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        tf.matmul(left, right).numpy()
        best = min(best, time.perf_counter() - started)
    print(round(2 * SIDE**3 / best / 1e9, 1))


if __name__ == "__main__":
    main()
