"""Run a program of `torch.export` in torch, on one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from keras_rectifiers.exporting.signature import Signature


class Runner:
    """An open program.

    Args:
        path: The `.pt2`.
        signature: The model's inputs.
    """

    #: The distribution whose version matters.
    package = "torch"

    def __init__(self, path: Path, signature: Signature) -> None:
        import torch

        torch.set_num_threads(1)
        self._torch = torch
        self._signature = signature
        self._module = torch.export.load(path).module()

    def run(self, arrays: list[Any]) -> list[Any]:
        """The outputs for flat inputs of one batch.

        Args:
            arrays: In the order of the signature.
        """
        tensors = [self._torch.from_numpy(each) for each in arrays]
        with self._torch.no_grad():
            made = self._module(self._signature.packed(tensors))
        return [each.detach().numpy() for each in keras.tree.flatten(made)]
