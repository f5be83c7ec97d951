"""Weights: what a modern model wants, and where an old file has it."""
