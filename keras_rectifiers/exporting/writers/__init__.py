"""One module for each format: write a Keras model as a file of that format."""
