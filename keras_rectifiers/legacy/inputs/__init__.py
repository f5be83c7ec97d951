"""Shapes that a file does not state, worked out from the weights that it has."""
