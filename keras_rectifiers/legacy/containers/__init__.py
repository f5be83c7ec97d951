"""Readers: one for each kind of file or folder that Keras ever saved a model in."""
