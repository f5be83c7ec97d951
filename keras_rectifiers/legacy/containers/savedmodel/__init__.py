"""SavedModel folders of Keras 2: structure as JSON, weights in a checkpoint.

No graph is executed, nothing is imported, and TensorFlow is not needed.
"""
