"""Where computation happens: threads, GPUs and repeatability. Call `prepare` before the first tensor is made."""

import sys

# Keras imports these for figures and wrappers that no program here uses, wherever they are installed: a second of each start.
for name in (unused := {"matplotlib", "sklearn"} - set(sys.modules)):
    sys.modules[name] = None
import keras  # noqa: E402

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
