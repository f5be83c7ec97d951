"""A live Keras model: its rectifiers, and what they put out."""
