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

from robustness.cluster.gpus import take_gpu  # noqa: E402
from robustness.errors import UserError  # noqa: E402

FRAMEWORKS = {"tensorflow": "TensorFlow", "jax": "JAX"}


def prepare(threads: int, seed: int, gpu: bool = False) -> None:
    """Bind TensorFlow to so many threads, choose repeatable kernels and seed every generator of Keras.

    On another backend of Keras only the generators are seeded. gpu: compute on one that no other program has, and raise
    UserError where the backend finds none.
    """
    if gpu:
        # The backend was imported above, but CUDA reads which GPUs it may see only when it is first asked for devices.
        take_gpu()
        if not (found := _gpus()):
            name = FRAMEWORKS.get(keras.backend.backend(), keras.backend.backend())
            raise UserError(
                f"{name} finds no GPU here, and the config says gpu: 1: run this where there is one, install {name}'s GPU "
                "build (envs/tensorflow.yaml), or say gpu: 0."
            )
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_op_determinism()
        if gpu:
            tf.config.set_visible_devices(found[0], "GPU")
        for device in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(device, True)
    keras.utils.set_random_seed(seed)


def _gpus() -> list:
    """The GPUs that the backend finds, as it names them."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.config.list_physical_devices("GPU")
    try:
        found = keras.distribution.list_devices()
    except (RuntimeError, AssertionError):  # JAX's, where JAX_PLATFORMS asks for what is not there
        return []
    return [device for device in found if device.startswith(("gpu", "cuda", "rocm"))]


def device_name() -> str:
    """The device that computation runs on, for a result's metadata: 'cpu' or the GPU's name."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if gpus := _gpus():
            return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu")
        return "cpu"
    devices = keras.distribution.list_devices()
    return devices[0] if devices else "cpu"
