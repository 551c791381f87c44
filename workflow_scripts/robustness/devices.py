"""Where computation happens: threads, GPUs and repeatability. Call `prepare` before the first tensor is made."""

import gc
import os
import sys

# What the variable says, and no file in somebody's home, which Keras would ask next.
BACKEND = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# Keras and TensorFlow import these for what no program here uses, wherever they are installed: a second of each start.
UNUSED = {"matplotlib", "sklearn"} | ({"jax"} if BACKEND == "tensorflow" else set())
for name in (unused := UNUSED - set(sys.modules)):
    sys.modules[name] = None
gc.disable()  # a quarter of a start went to looking for garbage among what is imported to stay
import keras  # noqa: E402

gc.freeze()
gc.enable()
for name in unused:
    del sys.modules[name]


def prepare(threads: int, seed: int) -> None:
    """Bind TensorFlow to so many threads, choose repeatable kernels and seed every generator of Keras.

    On another backend of Keras only the generators are seeded.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_op_determinism()
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    keras.utils.set_random_seed(seed)


def device_name() -> str:
    """The device that computation runs on, for a result's metadata: 'cpu' or the GPU's name."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if gpus := tf.config.list_physical_devices("GPU"):
            return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu")
        return "cpu"
    devices = keras.distribution.list_devices()
    return devices[0] if devices else "cpu"
