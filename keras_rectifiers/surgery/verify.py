"""Prove what a conversion did not change: every weight, and the function itself."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import ClassVar

import keras
import numpy as np

from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.errors import VerificationError
from keras_rectifiers.files import remote
from keras_rectifiers.live.layers import flat
from keras_rectifiers.results import Result
from keras_rectifiers.surgery import loading
from keras_rectifiers.surgery import optimizer_state
from keras_rectifiers.surgery.pairs import pair
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table

#: Samples that are made up where none are given.
_SAMPLES = 8
#: Length given to axes that a model leaves open.
_FREE_AXIS = 32


@dataclasses.dataclass(frozen=True, repr=False)
class Verification(Result):
    """What a comparison of two models found."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("check", "compared", "same", "detail")

    #: Whether all outputs are the same bytes.
    bit_equal: bool
    #: Largest absolute difference between outputs (NaN where only one is NaN).
    max_difference: float
    #: Largest absolute output of the original, to see the difference against.
    scale: float
    #: Samples that went through both models.
    samples: int
    #: Output arrays that were compared.
    outputs: int
    #: Variables of the original that were compared, byte for byte; seed states
    #: among them where both models are live.
    weights: int
    #: Whether they are all the same.
    weights_equal: bool
    #: Paths of the variables that differ.
    differing: tuple[str, ...]
    #: Paths of the layers that were replaced.
    replaced: tuple[str, ...]
    #: Variables of the original and of the converted model, seed states among them.
    variables: tuple[int, int] = (0, 0)
    #: Variables that only the converted model has, and only the original had.
    added: int = 0
    dropped: int = 0
    #: Variables of the original's optimizer that were compared, where both models
    #: have one of the same class with a state, and paths of those that differ.
    slots: int = 0
    slots_differing: tuple[str, ...] = ()
    #: Paths of layers that were one object in several places, and are several now.
    split: tuple[str, ...] = ()
    #: Sum of `model.losses` (penalties) of both models, after one call.
    losses: tuple[float, float] = (0.0, 0.0)
    #: Whether each penalty is the same; those that are 0 do not count.
    losses_equal: bool = True

    @property
    def holds(self) -> bool:
        """Whether weights, optimizers, penalties and outputs are all the same."""
        return (
            self.bit_equal
            and self.losses_equal
            and self.variables_kept
            and not self.slots_differing
        )

    @property
    def variables_kept(self) -> bool:
        """Whether every variable was kept, and each shared one is still shared."""
        return self.weights_equal and not self.split

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each check: `variables`, `sharing`, `optimizer`, `penalties`
        and `outputs`.

        `compared` counts variables, layers, samples or models; `detail` says what
        differs, and is empty where nothing does.
        """  # noqa: D205 - the keys are what matters
        before, after = self.losses
        apart = f"at most {self.max_difference:.3g} (outputs reach {self.scale:.3g})"
        checks = (
            ("variables", self.weights, self.weights_equal, ", ".join(self.differing)),
            ("sharing", len(self.split), not self.split, ", ".join(self.split)),
            (
                *("optimizer", self.slots, not self.slots_differing),
                ", ".join(self.slots_differing),
            ),
            (
                *("penalties", 2, self.losses_equal),
                "" if self.losses_equal else f"{before:.6g} became {after:.6g}",
            ),
            (
                *("outputs", self.samples, self.bit_equal),
                "" if self.bit_equal else apart,
            ),
        )
        return [self._row(*cells) for cells in checks]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {**super().to_dict(), "holds": self.holds}

    def parts(self) -> list[Part]:
        """One sentence, and the checks where one of them fails."""
        if self.holds:
            return [self.headline]
        rows = (
            (
                *(row["check"], row["compared"], "yes" if row["same"] else "no"),
                row["detail"],
            )
            for row in self.rows
        )
        columns = ("check", "compared", "same", "what differs")
        return [self.headline, Table.of(columns, rows, numbers=("compared",))]

    def require(self) -> None:
        """Raise unless weights, optimizers, penalties and outputs are the same.

        Raises:
            VerificationError: Something differs; the message says what.
        """
        if not self.holds:
            raise VerificationError(
                "A conversion that keeps the function must keep every bit. "
                f"Received: {self.headline}"
            )

    @property
    def headline(self) -> str:
        """What was replaced and what is unchanged, in one sentence."""
        weights = (
            f"all {self.weights} variables unchanged"
            if self.weights_equal
            else f"{len(self.differing)} of {self.weights} variables differ "
            f"({', '.join(self.differing[:3])})"
        )
        counts = [
            f"{count} {word}"
            for count, word in ((self.added, "added"), (self.dropped, "dropped"))
            if count
        ]
        if counts:
            weights += f" ({', '.join(counts)})"
        if self.split:
            weights += f", {self.split[0]} is no longer shared"
        if self.slots_differing:
            weights += (
                f", {len(self.slots_differing)} of {self.slots} variables of the "
                f"optimizer differ ({', '.join(self.slots_differing[:3])})"
            )
        if not self.losses_equal:
            before, after = self.losses
            weights += f"; losses of its layers are {after:.6g}, not {before:.6g}"
        outputs = (
            "bit-equal"
            if self.bit_equal
            else f"differ by at most {self.max_difference:.3g} "
            f"(outputs reach {self.scale:.3g})"
        )
        return (
            f"{len(self.replaced)} rectifiers replaced, {weights}; outputs on "
            f"{self.samples} samples {outputs}."
        )


@remote.urls("original", "converted")
def verify(
    original: Any,
    converted: Any,
    inputs: Any = None,
    *,
    custom_objects: Mapping[str, Any] | None = None,
) -> Verification:
    """Compare a converted model with its original.

    Every variable of the original is looked up in the converted model and compared byte
    for byte, and those of both models are counted: each has its counterpart, or belongs
    to a rectifier that was replaced. Then both models predict on the same inputs, and
    the penalties of their layers (`model.losses`) are compared.

    Args:
        original: A `keras.Model` or the path of one.
        converted: The converted model or its path.
        inputs: Inputs for `original.predict`. By default, 8 samples are generated with
            a fixed seed: normal numbers, or valid indices where an input feeds an
            embedding.
        custom_objects: Classes and functions that are not registered, for models given
            by their paths.

    Returns:
        A `Verification`; print it, or call its `require()`.

    Raises:
        VerificationError: The models differ in more than their rectifiers.
        ArgumentError: `inputs` must be given, because they cannot be generated.
    """
    stored = any(isinstance(each, str | os.PathLike) for each in (original, converted))
    original, converted = (_model(e, custom_objects) for e in (original, converted))
    try:
        pairs = pair(original, converted)
    except UnsupportedModelError as error:
        raise VerificationError(
            f"The two models must be the same except for their rectifiers. {error}"
        ) from error
    # Keras stores no seed states, so each load draws new ones.
    compared = pairs.weights if stored else pairs.moved
    differing = tuple(
        variable.path for variable, twin in compared if not _same(variable, twin)
    )
    given = make_inputs(original) if inputs is None else inputs
    before, shape = _outputs(original, given)
    after, shape_after = _outputs(converted, given)
    penalties = _losses(original, given), _losses(converted, given)
    slots = _slots(original, converted, pairs.moved)
    return Verification(
        bit_equal=shape == shape_after
        and all(
            a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
            for a, b in zip(before, after, strict=True)
        ),
        max_difference=max(map(_distance, before, after), default=0.0),
        scale=max((float(np.nanmax(np.abs(a), initial=0)) for a in before), default=0),
        samples=len(keras.tree.flatten(given)[0]),
        outputs=len(before),
        weights=len(compared),
        weights_equal=not differing,
        differing=differing,
        replaced=pairs.changed,
        variables=(len(original.variables), len(converted.variables)),
        added=len(pairs.added),
        dropped=len(pairs.dropped),
        slots=len(slots),
        slots_differing=tuple(a.path for a, b in slots if not _same(a, b)),
        split=pairs.split,
        losses=(float(penalties[0].sum()), float(penalties[1].sum())),
        losses_equal=penalties[0].tobytes() == penalties[1].tobytes(),
    )


def make_inputs(model: keras.Model, samples: int = _SAMPLES, seed: int = 0) -> Any:
    """Inputs of the right structure, generated with a fixed seed.

    Raises:
        ArgumentError: The model is not built, or takes strings.
    """
    structure = _input_structure(model)
    rng = np.random.default_rng(seed)
    indices = _index_limits(model)

    def make(tensor: Any) -> np.ndarray:
        shape = [samples] + [_FREE_AXIS if n is None else n for n in tensor.shape[1:]]
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        if dtype == "string":
            raise ArgumentError(
                "inputs must be given for a model that takes strings. Received: "
                f"inputs=None for {model.name!r}."
            )
        if id(tensor) in indices or "int" in dtype or dtype == "bool":
            limit = indices.get(id(tensor), 2)
            return rng.integers(0, limit, shape).astype(dtype)
        return rng.standard_normal(shape).astype(dtype)

    made = keras.tree.map_structure(make, structure)
    return made[0] if isinstance(made, list) and len(made) == 1 else made


def _input_structure(model: keras.Model) -> Any:
    """Symbolic inputs of a model; where Python code calls its layers, by shape."""
    if getattr(model, "inputs", None):
        return getattr(model, "_inputs_struct", model.inputs)
    shapes = list((getattr(model, "_build_shapes_dict", None) or {}).values())
    if len(shapes) != 1:
        raise ArgumentError(
            "inputs must be given for a model that does not know its input shapes. "
            f"Received: inputs=None for {model.name!r}. Pass the inputs that its "
            "predict method takes."
        )
    embedded = any(isinstance(each, keras.layers.Embedding) for each in flat(model))
    dtype = "int32" if embedded else keras.config.floatx()
    return keras.tree.map_shape_structure(
        lambda shape: keras.KerasTensor((None, *shape[1:]), dtype), shapes[0]
    )


def _index_limits(model: keras.Model) -> dict[int, int]:
    """For each tensor that feeds an embedding, the number of its rows."""
    limits: dict[int, int] = {}
    for layer in flat(model):
        if isinstance(layer, keras.layers.Embedding):
            for node in layer._inbound_nodes:
                for tensor in node.input_tensors:
                    known = limits.get(id(tensor), layer.input_dim)
                    limits[id(tensor)] = min(known, layer.input_dim)
    return limits


def _model(model: Any, custom_objects: Mapping[str, Any] | None) -> keras.Model:
    if isinstance(model, str | os.PathLike):
        return loading.load(Path(model), custom_objects=custom_objects)
    return model


def _outputs(model: keras.Model, inputs: Any) -> tuple[list[np.ndarray], Any]:
    """What a model predicts, and how it is nested and named."""
    predicted = model.predict(inputs, verbose=0)
    shape = keras.tree.map_structure(lambda _: None, predicted)
    return [np.asarray(output) for output in keras.tree.flatten(predicted)], shape


def _slots(original: Any, converted: Any, pairs: Any) -> list[tuple[Any, Any]]:
    """The states of two optimizers, variable by variable."""
    old, new = (getattr(each, "optimizer", None) for each in (original, converted))
    if type(old) is not type(new) or not all(
        getattr(each, "built", False) for each in (old, new)
    ):
        return []
    found = optimizer_state.counterparts(old, new, pairs)
    return [(before, after) for before, after, _ in found if before is not None]


def _losses(model: keras.Model, inputs: Any) -> np.ndarray:
    """The penalties of a model's layers that are not 0, in order of size."""
    leaves = keras.tree.flatten(inputs)
    if all(hasattr(each, "shape") for each in leaves):
        batch = keras.tree.map_structure(lambda each: each[:_SAMPLES], inputs)
    else:  # a dataset or a generator, which may not be read twice
        return np.zeros(0)
    model(batch, training=False)
    losses = np.array([float(keras.ops.convert_to_numpy(x)) for x in model.losses])
    return np.sort(losses[losses != 0])


def _same(variable: Any, twin: Any) -> bool:
    a = keras.ops.convert_to_numpy(variable)
    b = keras.ops.convert_to_numpy(twin)
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape:
        return float("nan")
    with np.errstate(invalid="ignore"):
        difference = np.abs(a.astype("float64") - b.astype("float64"))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return float(np.max(np.where(same, 0.0, difference), initial=0.0))
