"""A saved model as data: its layers, its graph, and what Keras' classes do."""
