"""Signs that an attack fails for reasons of its own, and the verdicts."""
