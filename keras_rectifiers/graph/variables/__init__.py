"""Which variables the layers of Keras 3 have, from their configs alone."""
