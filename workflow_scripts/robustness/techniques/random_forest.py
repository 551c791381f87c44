"""Many trees, each of a bootstrap sample and of thresholds among randomly drawn pixels (Breiman 2001)."""

from sklearn.ensemble import RandomForestClassifier

SETTINGS = {
    "type": "object",
    "properties": {
        "trees": {
            "type": "integer",
            "minimum": 1,
            "default": 100,
            "description": "How many; their probabilities are averaged.",
        },
        "depth": {
            "type": "integer",
            "minimum": 1,
            "description": "Most thresholds on the way to a leaf; left out, until every leaf holds one class.",
        },
    },
}


def classifier(settings: dict, seed: int) -> RandomForestClassifier:
    """seed: of the samples and of the pixels that are tried."""
    return RandomForestClassifier(settings["trees"], max_depth=settings.get("depth"), random_state=seed)
