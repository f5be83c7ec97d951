"""Run a SavedModel in TensorFlow, by its signature for serving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from keras_rectifiers.exporting.inspectors.saved_model import SIGNATURE
from keras_rectifiers.exporting.signature import Signature
from keras_rectifiers.exporting.signature import output_order


class Runner:
    """An open SavedModel.

    Args:
        path: The folder.
        signature: The model's inputs.
    """

    #: The distribution whose version matters.
    package = "tensorflow"

    def __init__(self, path: Path, signature: Signature) -> None:
        import tensorflow as tf

        self._loaded = tf.saved_model.load(str(path))
        self._function = self._loaded.signatures[SIGNATURE]
        _, inputs = self._function.structured_input_signature
        found = [(name, spec.shape) for name, spec in inputs.items()]
        self._names = [name for name, _ in found]
        self._order = signature.order(found)
        self._outputs = list(self._function.structured_outputs)
        self._places = output_order(self._outputs)
        self._constant = tf.constant

    def run(self, arrays: list[Any]) -> list[Any]:
        """The outputs for flat inputs of one batch.

        Args:
            arrays: In the order of the signature.
        """
        given = {
            name: self._constant(arrays[place])
            for name, place in zip(self._names, self._order, strict=True)
        }
        made = self._function(**given)
        flat = [made[name].numpy() for name in self._outputs]
        return [flat[index] for index in np.argsort(self._places)]
