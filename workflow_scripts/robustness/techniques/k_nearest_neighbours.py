"""The most frequent class among the nearest training images, in the Euclidean distance of pixels (Cover and Hart 1967)."""

from sklearn.neighbors import KNeighborsClassifier

SETTINGS = {
    "type": "object",
    "properties": {
        "neighbours": {
            "type": "integer",
            "minimum": 1,
            "default": 5,
            "description": "Training images that vote; at most as many as there are.",
        },
    },
}


def classifier(settings: dict, seed: int) -> KNeighborsClassifier:
    """Nothing is drawn; seed has no effect."""
    return KNeighborsClassifier(settings["neighbours"], algorithm="brute")
