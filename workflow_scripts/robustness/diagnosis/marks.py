"""Verdicts on a number, and the marks that stand for them in tables and figures."""

from collections.abc import Iterable, Sequence

PASS, WARNING, FAIL = "pass", "warning", "fail"
ORDER = (PASS, WARNING, FAIL)
MARKS = {PASS: "", WARNING: "*", FAIL: "†"}
LEGEND = (
    f"{MARKS[FAIL]}: the number fails its diagnosis and is no evidence of robustness; {MARKS[WARNING]}: the diagnosis warns "
    "(verdicts.md says why)."
)


def accuracy_note(rejecting: Sequence[str]) -> str:
    """What accuracy means for models that can reject, as a sentence to be added; '' without such."""
    if not rejecting:
        return ""
    return (
        f" {', '.join(rejecting)} can reject an image: accuracy is the share of images accepted and right, and what is "
        "rejected stands in rejections.md."
    )


def robust_note(rejecting: Sequence[str]) -> str:
    """What robust accuracy and the worst case mean for models that can reject, as a sentence to be added; '' without such."""
    if not rejecting:
        return ""
    return (
        f" An image of {', '.join(rejecting)}, which can reject it, counts as robust if it is accepted and right unattacked, "
        "and right or rejected attacked (robust accuracy with detection, Tramèr 2022); rejections.md tells these apart."
    )


def worst(verdicts: Iterable[str]) -> str:
    """The worst of some verdicts; pass where there is none."""
    return max(verdicts, key=ORDER.index, default=PASS)


def marks_of(verdict: str, clip: str) -> str:
    """The mark of a measured number: of its verdict ('' where there is none), and ‡ where epsilon does not bound its attack."""
    return MARKS.get(verdict, "") + ("‡" if clip == "pixel_range" else "")
