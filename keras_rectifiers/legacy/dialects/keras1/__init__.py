"""The files of Keras 0 and 1."""
