"""States that no Keras of today writes, as older ones listed them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_rectifiers.conversion.opened import open_model
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.legacy.compile.slots import carry
from keras_rectifiers.legacy.containers.saved import Slots
from keras_rectifiers.legacy.dialects.registry import serialized
from keras_rectifiers.legacy.weights.arrange import Placed
from keras_rectifiers.legacy.weights.old_layouts import CONVERSIONS
from keras_rectifiers.legacy.weights.old_layouts import Conversion
from keras_rectifiers.legacy.weights.owners import Owner

MODELS = Path(__file__).parents[3] / "shared" / "models"


@dataclasses.dataclass(frozen=True)
class _Array:
    name: str
    values: np.ndarray[Any, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.values.dtype

    def read(self) -> np.ndarray[Any, Any]:
        return self.values


def _layer(
    name: str,
    class_name: str,
    shapes: dict[str, tuple[int, ...]],
    *,
    trainable: bool = True,
    conversion: str = "",
) -> list[Placed]:
    """A layer with its weights; a name that starts with `_` is not trained."""
    entry = serialized(class_name, "keras.layers", {"name": name})
    entry["config"]["trainable"] = trainable
    top = Place((), (), (), {"class_name": "Sequential"}, None, ("top",))
    place = Place((name,), (), ("layers", name), entry, top, (name,))
    variables = tuple(
        Variable(each, ("vars", str(i)), (each,), shape, not each.startswith("_"))
        for i, (each, shape) in enumerate(shapes.items())
    )
    stored = CONVERSIONS[conversion].stored({}) if conversion else variables
    owner = Owner(place, variables, stored, (name,), class_name, conversion)
    return [
        Placed(
            _Array(f"{name}/{name}/{variable.name}:0", np.ones(variable.shape)),  # type: ignore[arg-type]
            (*place.group, *variable.group),
            owner,
            variable,
        )
        for variable in variables
    ]


def _dense(name: str, inputs: int, units: int, **more: Any) -> list[Placed]:
    return _layer(name, "Dense", {"kernel": (inputs, units), "bias": (units,)}, **more)


def _compiled(class_name: str, **config: Any) -> dict[str, Any]:
    config = {"learning_rate": 0.5, "name": class_name, **config}
    return {"optimizer": serialized(class_name, "keras.optimizers", config)}


def _stored(*named: tuple[str, Any], kind: str = "named") -> Slots:
    arrays = [_Array(name, np.asarray(values)) for name, values in named]
    return Slots(kind, tuple(arrays))


def _carried(
    slots: Any, compiled: dict[str, Any], placed: list[Placed]
) -> tuple[list[Any], list[str]]:
    carried, repairs = carry(slots, compiled, placed)
    assert carried is not None
    assert [number for number, _ in carried] == list(range(len(carried)))
    return [each.read() for _, each in carried], [each.text for each in repairs]


def _full(shape: tuple[int, ...], value: float) -> np.ndarray[Any, Any]:
    return np.full(shape, value, "float32")


def test_keras_2_3_keeps_dummies_for_amsgrad() -> None:
    # [iterations] + ms + vs + vhats, where a vhat is one number.
    slots = _stored(
        ("training/Adam/iter:0", np.int64(7)),
        ("training/Adam/m_0:0", _full((2, 3), 1)),
        ("training/Adam/m_1:0", _full((3,), 2)),
        ("training/Adam/v_0:0", _full((2, 3), 3)),
        ("training/Adam/v_1:0", _full((3,), 4)),
        ("training/Adam/vhat_0:0", _full((1,), 0)),
        ("training/Adam/vhat_1:0", _full((1,), 0)),
    )
    found, texts = _carried(slots, _compiled("Adam"), _dense("d", 2, 3))
    assert texts == []
    assert [float(np.max(each)) for each in found] == [7, 0.5, 1, 3, 2, 4]
    assert found[0].dtype == np.int64


def test_keras_2_0_counts_steps_nowhere_for_rmsprop() -> None:
    slots = _stored(
        ("training/Variable:0", _full((2, 3), 1)),
        ("training/Variable_1:0", _full((3,), 2)),
    )
    found, texts = _carried(slots, _compiled("RMSprop"), _dense("d", 2, 3))
    assert texts == []
    assert [float(np.max(each)) for each in found] == [0, 0.5, 1, 2]


def test_keras_2_3_calls_every_slot_an_accumulator() -> None:
    slots = _stored(
        ("training/Adadelta/iterations:0", np.int64(3)),
        ("training/Adadelta/accumulator_0:0", _full((2, 3), 1)),
        ("training/Adadelta/accumulator_1:0", _full((3,), 2)),
        ("training/Adadelta/delta_accumulator_0:0", _full((2, 3), 3)),
        ("training/Adadelta/delta_accumulator_1:0", _full((3,), 4)),
    )
    found, _ = _carried(slots, _compiled("Adadelta"), _dense("d", 2, 3))
    assert [float(np.max(each)) for each in found] == [3, 0.5, 1, 3, 2, 4]


def test_sgd_kept_moments_it_did_not_use() -> None:
    slots = _stored(
        ("training/SGD/iterations:0", np.int64(3)),
        ("training/SGD/moment_0:0", _full((2, 3), 1)),
        ("training/SGD/moment_1:0", _full((3,), 2)),
    )
    found, texts = _carried(slots, _compiled("SGD"), _dense("d", 2, 3))
    assert texts == []
    assert [float(each) for each in found] == [3, 0.5]


def test_an_order_that_does_not_matter_is_no_riddle() -> None:
    placed = _layer("n", "BatchNormalization", {"gamma": (3,), "beta": (3,)})
    slots = _stored(("iterations:0", np.float32(9)))
    found, texts = _carried(slots, _compiled("SGD"), placed)
    assert texts == []
    assert [float(each) for each in found] == [9, 0.5]


def test_nadam_keeps_its_product_before_its_slots() -> None:
    slots = _stored(
        ("training/Nadam/iterations:0", np.int64(3)),
        ("training/Nadam/m_schedule:0", np.float32(0.25)),
        ("training/Nadam/m_0:0", _full((2, 3), 1)),
        ("training/Nadam/m_1:0", _full((3,), 2)),
        ("training/Nadam/v_0:0", _full((2, 3), 3)),
        ("training/Nadam/v_1:0", _full((3,), 4)),
    )
    found, _ = _carried(slots, _compiled("Nadam"), _dense("d", 2, 3))
    assert [float(np.max(each)) for each in found] == [3, 0.5, 1, 3, 2, 4, 0.25]


def test_keras_2_0_sorted_weights_by_name() -> None:
    # b/bias, b/kernel, z/bias, z/kernel, though z comes first in the model.
    placed = _dense("z", 2, 3) + _dense("b", 3, 4)
    slots = _stored(
        ("iterations:0", np.float32(9)),
        ("Variable:0", _full((4,), 1)),
        ("Variable_1:0", _full((3, 4), 2)),
        ("Variable_2:0", _full((3,), 3)),
        ("Variable_3:0", _full((2, 3), 4)),
    )
    found, texts = _carried(slots, _compiled("SGD", momentum=0.9), placed)
    assert texts == []
    assert [float(np.max(each)) for each in found] == [9, 0.5, 4, 3, 2, 1]
    assert [each.shape for each in found[2:]] == [(2, 3), (3,), (3, 4), (4,)]


def test_an_order_that_cannot_be_told_is_left_behind() -> None:
    # Two vectors of one shape: by layer or by name, nobody knows.
    placed = _layer("n", "BatchNormalization", {"gamma": (3,), "beta": (3,)})
    slots = _stored(
        ("iterations:0", np.float32(9)),
        ("Variable:0", _full((3,), 1)),
        ("Variable_1:0", _full((3,), 2)),
    )
    found, texts = _carried(slots, _compiled("SGD", momentum=0.9), placed)
    assert len(texts) == 1
    assert "dropped" in texts[0]
    assert [float(np.max(each)) for each in found] == [0, 0.5, 0, 0]


def test_names_that_say_another_slot_are_believed() -> None:
    # A list in which v comes before m is no list of this optimizer.
    slots = _stored(
        ("Adam/iter:0", np.int64(7)),
        ("Adam/d/kernel/v:0", _full((3,), 1)),
        ("Adam/d/kernel/m:0", _full((3,), 2)),
    )
    placed = _layer("d", "Dense", {"kernel": (3,)})
    _, texts = _carried(slots, _compiled("Adam"), placed)
    assert len(texts) == 1


def test_weights_that_are_not_trained_have_no_slots() -> None:
    placed = _dense("a", 2, 3, trainable=False) + _layer(
        "n", "BatchNormalization", {"gamma": (3,), "_mean": (3,)}
    )
    slots = _stored(
        ("0", np.int64(7)), ("1", _full((3,), 1)), ("2", _full((3,), 2)), kind="listed"
    )
    found, texts = _carried(slots, _compiled("Adam"), placed)
    assert texts == []
    assert [float(np.max(each)) for each in found] == [7, 0.5, 1, 2]


def test_a_layer_that_was_frozen_later_gives_its_slots_up() -> None:
    placed = _dense("a", 2, 3, trainable=False) + _dense("b", 3, 1)
    slots = _stored(
        ("iteration:0", np.int64(7)),
        ("SGD/m/a/kernel:0", _full((2, 3), 1)),
        ("SGD/m/a/bias:0", _full((3,), 2)),
        ("SGD/m/b/kernel:0", _full((3, 1), 3)),
        ("SGD/m/b/bias:0", _full((1,), 4)),
    )
    found, _ = _carried(slots, _compiled("SGD", momentum=0.9), placed)
    assert [float(np.max(each)) for each in found] == [7, 0.5, 3, 4]


@pytest.fixture
def conversion() -> Any:
    """A layer that Keras 3 keeps transposed, or with two biases as one."""
    stored = (
        Variable("kernel", ("vars", "0"), ("kernel",), ("in", 3)),
        Variable("bias", ("vars", "1"), ("bias",), (3,)),
    )
    CONVERSIONS["moved"] = Conversion(
        "", lambda _: stored, lambda values, _: [values[0].T, values[1][::-1]]
    )
    CONVERSIONS["summed"] = Conversion(
        "", lambda _: stored, lambda values, _: [values[0].T, values[1] + 1.0]
    )
    yield
    del CONVERSIONS["moved"], CONVERSIONS["summed"]


def _transposed(name: str) -> tuple[Slots, list[Placed]]:
    slots = _stored(
        ("iteration:0", np.int64(7)),
        ("SGD/m/d/kernel:0", np.arange(6, dtype="float32").reshape(2, 3)),
        ("SGD/m/d/bias:0", np.arange(3, dtype="float32")),
    )
    shapes = {"kernel": (3, 2), "bias": (3,)}
    return slots, _layer("d", "Dense", shapes, conversion=name)


@pytest.mark.usefixtures("conversion")
def test_slots_move_as_their_weights_do() -> None:
    slots, placed = _transposed("moved")
    found, texts = _carried(slots, _compiled("SGD", momentum=0.9), placed)
    assert texts == []
    np.testing.assert_array_equal(found[2], np.arange(6).reshape(2, 3).T)
    np.testing.assert_array_equal(found[3], [2, 1, 0])


@pytest.mark.usefixtures("conversion")
def test_slots_of_weights_that_were_calculated_are_left_behind() -> None:
    slots, placed = _transposed("summed")
    found, texts = _carried(slots, _compiled("SGD", momentum=0.9), placed)
    assert len(texts) == 1
    assert not np.any(found[2])


def test_a_strangers_model_of_keras_2_0_5_goes_on() -> None:
    path = (
        MODELS
        / "oarriaga+face_classification"
        / "trained_models"
        / "fer2013_mini_XCEPTION.119-0.65.hdf5"
    )
    if not path.exists():
        pytest.skip("the strangers' models are not here")
    with open_model(path) as opened:
        carried, repairs = carry(
            opened.saved.slots, opened.document["compile_config"], opened.placed
        )
        assert repairs == ()
        assert carried is not None
        values = [each.read() for _, each in carried]
    assert int(values[0]) == 107760
    momenta, velocities = values[2::2], values[3::2]
    assert len(momenta) == 52
    for momentum, velocity in zip(momenta, velocities, strict=True):
        assert np.all(velocity >= 0)
        # Nowhere is a mean of gradients larger than a mean of their squares allows.
        assert np.all(np.abs(momentum) <= 8 * np.sqrt(velocity) + 1e-12)


@dataclasses.dataclass(frozen=True)
class _Slot:
    slot: str
    variable: str
    array: _Array


@dataclasses.dataclass(frozen=True)
class _ByVariable:
    """As the container of SavedModels of Keras before 2.11 hands them over."""

    slots: tuple[_Slot, ...]
    numbers: dict[str, _Array]
    kind: str = "slots"
    arrays: tuple[_Array, ...] = ()


def _by_variable(shape: tuple[int, ...], steps: Any = 7) -> _ByVariable:
    slots = (
        _Slot("momentum", "d/d/bias:0", _Array("b", _full((3,), 1))),
        _Slot("momentum", "d/d/kernel:0", _Array("k", _full(shape, 2))),
    )
    return _ByVariable(slots, {"iter": _Array("iter", np.asarray(steps))})


def test_slots_by_variable_find_their_weights() -> None:
    compiled = _compiled("SGD", momentum=0.9)
    found, texts = _carried(_by_variable((2, 3)), compiled, _dense("d", 2, 3))
    assert texts == []
    assert [float(np.max(each)) for each in found] == [7, 0.5, 2, 1]


def test_a_slot_of_another_shape_is_never_taken() -> None:
    compiled = _compiled("SGD", momentum=0.9)
    found, texts = _carried(_by_variable((3, 2)), compiled, _dense("d", 2, 3))
    assert len(texts) == 1
    assert not any(np.any(each) for each in found[2:])


@pytest.mark.parametrize("steps", [float("nan"), 1e30, -1, [1, 2], []])
def test_a_count_that_is_none_is_not_taken(steps: Any) -> None:
    compiled = _compiled("SGD", momentum=0.9)
    found, _ = _carried(_by_variable((2, 3), steps), compiled, _dense("d", 2, 3))
    assert int(found[0]) == 0
