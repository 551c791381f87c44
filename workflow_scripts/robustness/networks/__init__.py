"""The networks, one file each: the file's name is the architecture in the config.

Each has a function `features(x, settings)`, from images x, (n, height, width, channels) with pixels in [0, 1], to the
features that a head turns into logits, and HEAD, the words of its own head (robustness.models.network_settings).

A network whose settings.weights mean something stands in network_settings.WITH_BASE too.
"""
