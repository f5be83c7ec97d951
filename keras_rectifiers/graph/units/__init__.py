"""Which entries of which weights make and read each unit of a rectifier."""
