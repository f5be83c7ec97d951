"""Files of the zoo, opened by Keras alone and by this project."""

import dataclasses
import json
import zipfile
from pathlib import Path

import keras
import numpy as np

import keras_rectifiers
from tests.legacy.corpus import difference
from tests.legacy.zoo.cases import CASES
from tests.legacy.zoo.make_zoo import run
from tests.legacy.zoo.make_zoo import state
from tests.legacy.zoo.make_zoo import tensors

#: Form -> how its file's name ends.
FORMS = {"keras": ".keras", "again": ".again.keras", "h5": ".h5", "json": ".json"}
#: So many variables has an optimizer that was never built.
UNBUILT = 2


@dataclasses.dataclass(frozen=True)
class Specimen:
    """A file of the zoo.

    Attributes:
        folder: What one release wrote.
        name: Of the case.
        form: A key of `FORMS`.
    """

    folder: Path
    name: str
    form: str

    @property
    def path(self):
        """The file."""
        return self.folder / f"{self.name}{FORMS[self.form]}"

    @property
    def weights(self):
        """The file of its weights, where they stand apart."""
        path = self.folder / f"{self.name}.weights.h5"
        return path if self.form == "json" else None

    @property
    def exists(self):
        """Whether the release wrote it, and did not give up halfway."""
        if self.path.suffix == ".keras":
            return zipfile.is_zipfile(self.path)
        return self.path.exists()

    @property
    def opening(self):
        """Arguments with which Keras opens it."""
        return CASES[self.name].opening

    def arrays(self, kind):
        """Arrays of a kind: `in`, `out` or `opt`."""
        with np.load(self.folder / f"{self.name}.npz") as file:
            count = sum(name.startswith(f"{kind}_") for name in file.files)
            return [file[f"{kind}_{number}"] for number in range(count)]

    def inputs(self):
        """The inputs, as the model takes them."""
        with np.load(self.folder / f"{self.name}.npz") as file:
            form = json.loads(str(file["form"]))
        return tensors(_filled(form, self.arrays("in")))

    def alone(self, path=None):
        """What Keras itself makes of it, or of another file in its place."""
        if path is None and self.form == "json":
            model = keras.models.model_from_json(self.path.read_text())
            model.load_weights(self.weights)
            return model
        return keras.saving.load_model(path or self.path, **self.opening)

    def upgraded(self, target):
        """Writes what this project makes of it; the record."""
        return keras_rectifiers.upgrade_file(self.path, target, weights=self.weights)

    def converted(self, target):
        """Writes it with PReLU; the plan."""
        return keras_rectifiers.convert_file(
            self.path, target, "prelu", weights=self.weights
        )

    def held(self, model):
        """Differences of a model: in its outputs, and in its optimizer's state."""
        outputs = difference(self.arrays("out"), run(model, self.inputs()))
        kept = self.arrays("opt")
        found = state(model)[: len(kept) if len(kept) <= UNBUILT else None]
        if kept and self.name == "trained_nadam" and not kept[2].shape:
            kept.append(kept.pop(2))  # where Keras 3.10 on has the product
        if self.form == "json" or not kept:
            return outputs, 0.0
        return outputs, difference(kept, found)


def _filled(form, arrays):
    if isinstance(form, dict):
        return {key: _filled(each, arrays) for key, each in form.items()}
    if isinstance(form, list):
        return [_filled(each, arrays) for each in form]
    return arrays[form]
