"""Training goes on in Keras 3 where an old Keras stopped."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_rectifiers import convert_file
from keras_rectifiers import upgrade_file
from keras_rectifiers.conversion.opened import open_model
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.legacy.compile.slots import carry
from keras_rectifiers.legacy.containers.saved import Slots

old = pytest.importorskip("tf_keras")

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the reference is TensorFlow's"
)

_RANDOM = np.random.default_rng(0)
X = _RANDOM.normal(size=(24, 4)).astype("float32")
Y = _RANDOM.normal(size=(24, 2)).astype("float32")


def _legacy(name: str, **arguments: Any) -> Any:
    return getattr(old.optimizers.legacy, name)(**arguments)


def _new(name: str, **arguments: Any) -> Any:
    return getattr(old.optimizers, name)(**arguments)


def _decay(rate: float) -> Any:
    return old.optimizers.schedules.ExponentialDecay(rate, 2, 0.9)


LEGACY = {
    "sgd": lambda: _legacy("SGD", learning_rate=0.1),
    "sgd momentum": lambda: _legacy("SGD", learning_rate=0.05, momentum=0.9),
    "sgd nesterov, decay": lambda: _legacy(
        "SGD", learning_rate=0.05, momentum=0.9, nesterov=True, decay=0.1
    ),
    "adam": lambda: _legacy("Adam", learning_rate=0.01),
    "adam decay, clipnorm": lambda: _legacy(
        "Adam", learning_rate=0.01, decay=0.1, clipnorm=0.1
    ),
    "adam amsgrad": lambda: _legacy("Adam", learning_rate=0.01, amsgrad=True),
    "rmsprop": lambda: _legacy("RMSprop", learning_rate=0.01),
    "rmsprop centered": lambda: _legacy("RMSprop", learning_rate=0.01, centered=True),
    "rmsprop momentum": lambda: _legacy(
        "RMSprop", learning_rate=0.01, momentum=0.5, centered=True
    ),
    "adagrad": lambda: _legacy("Adagrad", learning_rate=0.1),
    "adadelta": lambda: _legacy("Adadelta", learning_rate=1.0),
    "adamax": lambda: _legacy("Adamax", learning_rate=0.01),
    "ftrl": lambda: _legacy(
        "Ftrl",
        learning_rate=0.1,
        l1_regularization_strength=0.01,
        l2_regularization_strength=0.01,
        l2_shrinkage_regularization_strength=0.01,
        beta=0.1,
    ),
}
NEW = {
    "sgd": lambda: _new("SGD", learning_rate=0.1),
    "sgd momentum": lambda: _new(
        "SGD", learning_rate=0.05, momentum=0.9, weight_decay=0.01
    ),
    "adam": lambda: _new("Adam", learning_rate=0.01),
    "adam amsgrad, ema": lambda: _new(
        "Adam",
        learning_rate=0.01,
        amsgrad=True,
        use_ema=True,
        ema_overwrite_frequency=4,
    ),
    "adam schedule": lambda: _new("Adam", learning_rate=_decay(0.05)),
    "adamw": lambda: _new("AdamW", learning_rate=0.01),
    "rmsprop": lambda: _new("RMSprop", learning_rate=0.01),
    "rmsprop momentum": lambda: _new(
        "RMSprop", learning_rate=0.01, momentum=0.5, centered=True
    ),
    "adagrad": lambda: _new("Adagrad", learning_rate=0.1),
    "adadelta": lambda: _new("Adadelta", learning_rate=1.0),
    "adamax": lambda: _new("Adamax", learning_rate=0.01),
    "nadam": lambda: _new("Nadam", learning_rate=0.01),
    "ftrl": lambda: _new(
        "Ftrl", learning_rate=0.1, l1_regularization_strength=0.01, beta=0.1
    ),
    "lion": lambda: _new("Lion", learning_rate=0.01),
    "adafactor": lambda: _new("Adafactor", learning_rate=0.05),
}


def _model() -> Any:
    """A small model of Keras 2, with a layer that is not trained."""
    old.utils.set_random_seed(1)
    layers = old.layers
    frozen = layers.Dense(4, activation="tanh", input_shape=(4,), trainable=False)
    return old.Sequential(
        [
            frozen,
            layers.Dense(4, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dense(4),
            layers.Dense(2),
        ]
    )


def _trained(optimizer: Any) -> Any:
    model = _model()
    model.compile(optimizer, loss="mse", run_eagerly=True)
    _train(model)
    return model


def _train(model: Any) -> float:
    """Train for three steps, and give the mean loss."""
    history = model.fit(X, Y, batch_size=8, shuffle=False, verbose=0).history
    return float(history["loss"][0])


def _save(model: Any, folder: Path, form: str) -> Path:
    path = folder / ("saved" if form == "tf" else f"old.{form}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path, save_format=form)
    return path


def _upgraded(path: Path) -> tuple[Any, list[str]]:
    """The upgraded model in Keras 3, and the cautions about its training."""
    target = path.with_name("new.keras")
    with open_model(path) as opened:
        opened.write(target)
        cautions = [each.text for each in opened.repairs if each.caution]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = keras.saving.load_model(target)
    model.run_eagerly = True
    return model, cautions


def _assert_goes_on(model: Any, path: Path, tolerance: float = 3e-6) -> None:
    new, cautions = _upgraded(path)
    assert cautions == []
    assert int(new.optimizer.iterations) == int(model.optimizer.iterations) == 3
    expected, found = _train(model), _train(new)
    np.testing.assert_allclose(found, expected, rtol=tolerance)
    for mine, theirs in zip(new.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=tolerance)


@pytest.mark.parametrize("name", LEGACY)
def test_a_legacy_optimizer_goes_on_from_h5(name: str, tmp_path: Path) -> None:
    model = _trained(LEGACY[name]())
    _assert_goes_on(model, _save(model, tmp_path, "h5"))


@pytest.mark.parametrize("name", NEW)
def test_an_optimizer_goes_on_from_h5(name: str, tmp_path: Path) -> None:
    model = _trained(NEW[name]())
    _assert_goes_on(model, _save(model, tmp_path, "h5"))


@pytest.mark.parametrize("name", ["adam amsgrad, ema", "adafactor", "nadam", "sgd"])
def test_an_optimizer_goes_on_from_keras_2_archives(name: str, tmp_path: Path) -> None:
    model = _trained(NEW[name]())
    _assert_goes_on(model, _save(model, tmp_path, "keras"))


@pytest.mark.parametrize("name", ["adam amsgrad", "rmsprop momentum"])
def test_a_legacy_optimizer_goes_on_from_a_saved_model(
    name: str, tmp_path: Path
) -> None:
    model = _trained(LEGACY[name]())
    _assert_goes_on(model, _save(model, tmp_path, "tf"))


@pytest.mark.parametrize("name", ["adam amsgrad, ema", "sgd"])
def test_an_optimizer_goes_on_from_a_saved_model(name: str, tmp_path: Path) -> None:
    model = _trained(NEW[name]())
    _assert_goes_on(model, _save(model, tmp_path, "tf"))


@pytest.mark.parametrize("make", [_new, _legacy])
def test_an_optimizer_that_scales_the_loss_goes_on(make: Any, tmp_path: Path) -> None:
    inner = make("Adam", learning_rate=0.01)
    scaled = old.mixed_precision.LossScaleOptimizer(inner, initial_scale=16.0)
    model = _trained(scaled)
    path = _save(model, tmp_path, "h5")
    new, cautions = _upgraded(path)
    assert cautions == []
    assert float(new.optimizer.dynamic_scale) == 16.0
    assert int(new.optimizer.inner_optimizer.iterations) == 3
    np.testing.assert_allclose(_train(new), _train(model), rtol=3e-6)


def test_a_fixed_loss_scale_becomes_the_optimizers_own(tmp_path: Path) -> None:
    inner = _new("SGD", learning_rate=0.01, momentum=0.9)
    scaled = old.mixed_precision.LossScaleOptimizer(
        inner, dynamic=False, initial_scale=128
    )
    model = _trained(scaled)
    new, _ = _upgraded(_save(model, tmp_path, "h5"))
    assert new.optimizer.loss_scale_factor == 128.0
    np.testing.assert_allclose(_train(new), _train(model), rtol=3e-6)


def test_a_legacy_nadam_keeps_its_state_and_says_what_differs(tmp_path: Path) -> None:
    model = _trained(_legacy("Nadam", learning_rate=0.01))
    new, cautions = _upgraded(_save(model, tmp_path, "h5"))
    assert len(cautions) == 1
    assert "schedule_decay" in cautions[0]
    assert int(new.optimizer.iterations) == 3
    for mine, weight in zip(
        new.optimizer._momentums, model.trainable_variables, strict=True
    ):
        theirs = model.optimizer.get_slot(weight, "m")
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    product = model.optimizer._m_cache.numpy()
    np.testing.assert_allclose(new.optimizer._u_product.numpy(), product)


def test_an_archive_without_a_state_opens_with_a_fresh_one(tmp_path: Path) -> None:
    # Keras 2 writes no state of a legacy optimizer into a .keras file.
    model = _trained(_legacy("Adam", learning_rate=0.01))
    new, cautions = _upgraded(_save(model, tmp_path, "keras"))
    assert cautions == []
    assert new.optimizer.built
    assert int(new.optimizer.iterations) == 0
    assert float(new.optimizer.learning_rate) == pytest.approx(0.01)


def test_a_state_of_other_weights_is_left_behind(tmp_path: Path) -> None:
    model = _trained(_new("Adam", learning_rate=0.01))
    path = _save(model, tmp_path, "h5")
    with open_model(path) as opened:
        slots = opened.saved.slots
        assert slots is not None
        fewer = Slots("named", slots.arrays[:-1])
        carried, repairs = carry(
            fewer, opened.document["compile_config"], opened.placed
        )
    assert carried is not None
    assert [number for number, _ in carried] == list(range(18))
    assert all(not np.any(each.read()) for _, each in carried[2:])
    assert [each.caution for each in repairs] == [True]
    assert "Adam" in repairs[0].text


@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("name", ["SGD", "Adam", "Nadam", "RMSprop"])
def test_a_whole_model_h5_of_keras_3_goes_on(
    name: str,
    scheduled: bool,
    tmp_path: Path,
) -> None:
    keras.utils.set_random_seed(1)
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 2, 0.9)
    model = keras.Sequential(
        [keras.layers.Input((4,)), keras.layers.Dense(4), keras.layers.Dense(2)]
    )
    optimizer = getattr(keras.optimizers, name)(rate if scheduled else 0.01)
    model.compile(optimizer, loss="mse", run_eagerly=True)
    _train(model)
    model.save(tmp_path / "old.h5")
    new, cautions = _upgraded(tmp_path / "old.h5")
    assert cautions == []
    for mine, theirs in zip(
        new.optimizer.variables, model.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    assert _train(new) == _train(model)


@pytest.mark.parametrize("make", [_new, _legacy])
@pytest.mark.parametrize("form", ["tf", "h5"])
def test_slopes_join_the_state_of_an_old_model(
    form: str, make: Any, tmp_path: Path
) -> None:
    """Statistics of a Normalization are floats, and no weights that train."""
    first = old.layers.Normalization(input_shape=(4,))
    first.adapt(X)
    dense = old.layers.Dense(4, "relu", name="d")
    model = old.Sequential([first, dense, old.layers.Dense(2)])
    model.compile(make("Adam", learning_rate=0.01), loss="mse", run_eagerly=True)
    _train(model)
    path, target = _save(model, tmp_path, form), tmp_path / "new.keras"

    made = convert_file(path, target, keep_training_state=True)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        new = keras.saving.load_model(target)
    assert made.parameters == 4
    assert [each.text for each in made.repairs if each.caution] == []
    assert int(new.optimizer.iterations) == 3
    assert len(new.optimizer.variables) == 2 + 2 * 5
    np.testing.assert_allclose(_train(new), _train(model), rtol=0.01)


def test_a_state_of_an_old_model_can_be_required(tmp_path: Path) -> None:
    """A layer that was frozen while the optimizer was built has no slots."""
    model = _model()
    model.compile(_new("Adam", learning_rate=0.01), loss="mse", run_eagerly=True)
    _train(model)
    model.layers[0].trainable = True
    path = _save(model, tmp_path, "keras")

    made = upgrade_file(path, tmp_path / "new.keras")

    (left,) = [each for each in made.repairs if each.rule == "optimizer state"]
    assert left.text.startswith("state of Adam dropped")
    for verb in (upgrade_file, convert_file):
        with pytest.raises(UnsupportedModelError, match="must be kept"):
            verb(path, tmp_path / "kept.keras", keep_training_state=True)
    assert not (tmp_path / "kept.keras").exists()


@pytest.mark.parametrize("name", ["Muon", "ScheduleFreeAdamW", "Lamb"])
def test_a_recent_optimizer_goes_on_from_h5(name: str, tmp_path: Path) -> None:
    """An .h5 of Keras 3 may have any of its optimizers."""
    keras.utils.set_random_seed(1)
    dense = [keras.layers.Dense(4, "tanh"), keras.layers.Dense(2)]
    model = keras.Sequential([keras.layers.Input((4,)), *dense])
    model.compile(getattr(keras.optimizers, name)(0.01), loss="mse", run_eagerly=True)
    _train(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(tmp_path / "old.h5")

    new, cautions = _upgraded(tmp_path / "old.h5")

    assert cautions == []
    for mine, theirs in zip(
        new.optimizer.variables, model.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    assert _train(new) == _train(model)
