"""Attacks: settings, losses, crafting, and the cascade of the worst case."""
