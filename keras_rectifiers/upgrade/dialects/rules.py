"""All rules, in the order in which they are applied."""

# ruff: noqa: I001, F401 (the order of the imports is the order of the rules)
