"""One module for each format: run a file in its own runtime, on one thread."""
