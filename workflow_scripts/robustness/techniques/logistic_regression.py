"""Multinomial logistic regression: linear in the pixels, with an L2 penalty."""

from sklearn.linear_model import LogisticRegression

SETTINGS = {
    "type": "object",
    "properties": {
        "inverse_penalty": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 1,
            "description": "One divided by the weight of the L2 penalty (C).",
        },
        "iterations": {
            "type": "integer",
            "minimum": 1,
            "default": 200,
            "description": "Most steps of the solver (L-BFGS).",
        },
    },
}


def classifier(settings: dict, seed: int) -> LogisticRegression:
    """The solver draws nothing; seed has no effect."""
    return LogisticRegression(C=settings["inverse_penalty"], max_iter=settings["iterations"])
