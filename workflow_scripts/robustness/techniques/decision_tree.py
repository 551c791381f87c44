"""One tree of thresholds of single pixels (Breiman et al. 1984, CART)."""

from sklearn.tree import DecisionTreeClassifier

SETTINGS = {
    "type": "object",
    "properties": {
        "depth": {
            "type": "integer",
            "minimum": 1,
            "description": "Most thresholds on the way to a leaf; left out, until every leaf holds one class.",
        },
    },
}


def classifier(settings: dict, seed: int) -> DecisionTreeClassifier:
    """seed: of the order in which pixels are tried, which decides between equally good ones."""
    return DecisionTreeClassifier(max_depth=settings.get("depth"), random_state=seed)
