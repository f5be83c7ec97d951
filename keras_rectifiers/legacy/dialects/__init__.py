"""Each old way of writing a model, and the one rule that brings it up to date."""
