"""Models of the sweep, family by family."""
