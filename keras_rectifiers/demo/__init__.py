"""The data and the model of `keras-rectifiers demo`; see examples/make_demo.py."""
