"""Watching the units of a model: statistics, verdicts, and the tap that sees them.

Nothing is imported here, so that the parts without Keras stay without it.
"""
