"""Functions of TensorFlow in the models of TF-Keras, as operations of Keras 3."""
