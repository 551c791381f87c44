"""Scoring, the checks of adversarial sets, and records."""
