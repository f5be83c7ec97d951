"""The data and the model of `keras-rectifiers demo`; see examples/make_demo.py."""

from importlib import resources
from pathlib import Path

#: A small ReLU classifier of handwritten digits, trained until most units died.
MODEL = Path(str(resources.files(__name__) / "dying_digits.keras"))
#: Its images and labels: `x_train`, `y_train`, `x_test`, `y_test`, uint8.
DATA = Path(str(resources.files(__name__) / "digits.npz"))
