"""Support vector machines, one for each pair of classes (Cortes and Vapnik 1995, Machine Learning 20, p. 273-297)."""

from sklearn.svm import SVC

SETTINGS = {
    "type": "object",
    "properties": {
        "kernel": {
            "enum": ["linear", "rbf"],
            "default": "rbf",
            "description": "Linear in the pixels, or radial basis functions.",
        },
        "inverse_penalty": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 1,
            "description": "How much an image on the wrong side of the margin costs (C).",
        },
    },
}


def classifier(settings: dict, seed: int) -> SVC:
    """The solver draws nothing; seed has no effect. Time grows with the square of the images: set `images`."""
    return SVC(kernel=settings["kernel"], C=settings["inverse_penalty"])
