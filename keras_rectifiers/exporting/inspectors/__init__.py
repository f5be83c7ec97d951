"""One module for each format: the operations of a file, and those that rectify."""
