"""Old compile configs become what Keras 3 writes, with the same meaning."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_rectifiers.conversion.opened import open_model
from keras_rectifiers.conversion.upgrade import upgrade_file
from keras_rectifiers.legacy.compile import known
from keras_rectifiers.legacy.compile.config import modern_compile_config
from keras_rectifiers.legacy.compile.config import output_names
from keras_rectifiers.legacy.dialects.registry import Origin

OLD = Origin((2, 4, 0), "tensorflow")
ONE: dict[str, Any] = {"class_name": "Sequential", "config": {"layers": []}}
TWO: dict[str, Any] = {
    "class_name": "Functional",
    "config": {"layers": [], "output_layers": [["a", 0, 0], ["b", 0, 0]]},
}
SGD = {"class_name": "SGD", "config": {"learning_rate": 0.5, "name": "SGD"}}


def _modern(document: dict[str, Any] | None = ONE, **training: Any) -> Any:
    training = {"optimizer_config": SGD, "loss": "mse", **training}
    return modern_compile_config(training, OLD, document)


def _optimizer(class_name: str, **config: Any) -> tuple[Any, list[str]]:
    made, repairs = _modern(
        optimizer_config={"class_name": class_name, "config": config}
    )
    cautions = [each.text for each in repairs if each.caution]
    return None if made is None else made["optimizer"], cautions


def _revived(compiled: Any) -> Any:
    """What Keras makes of it, on a model with one output."""
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.compile_from_config(json.loads(json.dumps(compiled)))
        model.evaluate(np.ones((2, 3)), np.ones((2, 2)), verbose=0)
    return model


def test_keras_3_writes_its_own_compile_config_so() -> None:
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.5, name="SGD"), loss="mse", metrics=["mae"])
    written = model.get_compile_config()
    mine, repairs = _modern(metrics=["mae"])
    assert list(mine) == list(written)
    assert list(mine["optimizer"]) == list(written["optimizer"])
    theirs = written["optimizer"]["config"]
    revived = _revived(mine).optimizer.get_config()
    assert revived == theirs
    assert {**mine, "optimizer": 0, "jit_compile": 0} == {
        **written,
        "optimizer": 0,
        "jit_compile": 0,
    }
    assert repairs == ()


def test_a_compile_config_of_keras_3_stays_as_it_is() -> None:
    training = {"optimizer": "mine>Thing", "loss": {"class_name": "mine>Loss"}}
    origin = Origin((3, 8, 0), "tensorflow")
    assert modern_compile_config(training, origin, ONE) == (training, ())


@pytest.mark.parametrize("name", known.OPTIMIZERS)
def test_every_optimizer_of_keras_3_survives(name: str) -> None:
    config = getattr(keras.optimizers, name)().get_config()
    made, cautions = _optimizer(name, **config)
    assert cautions == []
    assert made["class_name"] == name
    assert made["config"] == config


@pytest.mark.parametrize("name", known.LOSSES)
def test_every_loss_of_keras_3_survives(name: str) -> None:
    written = keras.saving.serialize_keras_object(getattr(keras.losses, name)())
    made, repairs = _modern(loss=written)
    assert made["loss"] == written
    assert repairs == ()


def test_every_string_is_one_that_keras_3_takes() -> None:
    for name in known.LOSS_STRINGS - {"crossentropy", "ce"}:
        assert keras.losses.get(name) is not None
    for name in known.METRIC_STRINGS - {"acc"} - set(known.METRICS):
        assert keras.metrics.get(name) is not None
    for name in known.METRICS:
        assert issubclass(getattr(keras.metrics, name), keras.metrics.Metric)


def test_names_and_settings_of_keras_1() -> None:
    # As Keras 2.0.5 wrote it.
    made, cautions = _optimizer(
        "Adam", lr=1e-5, beta_1=0.9, beta_2=0.999, epsilon=1e-8, decay=0.0
    )
    assert cautions == []
    assert made["config"]["learning_rate"] == 1e-5
    assert made["config"]["epsilon"] == 1e-8
    assert made["config"]["name"] == "adam"
    _revived({**_modern()[0], "optimizer": made})


def test_an_epsilon_of_none_is_keras_epsilon() -> None:
    made, _ = _optimizer("Adam", lr=0.1, epsilon=None)
    assert made["config"]["epsilon"] == 1e-7


def test_decay_becomes_a_schedule_of_the_same_numbers() -> None:
    made, cautions = _optimizer("SGD", lr=0.1, decay=0.01, momentum=0.0, nesterov=False)
    assert cautions == []
    optimizer = _revived({**_modern()[0], "optimizer": made}).optimizer
    for step in (0, 1, 7, 1000):
        optimizer.iterations.assign(step)
        expected = np.float32(0.1) / (np.float32(1.0) + np.float32(0.01) * step)
        assert float(optimizer.learning_rate) == pytest.approx(expected, rel=1e-6)


def test_decay_beside_a_schedule_is_left_out_with_a_caution() -> None:
    schedule = {
        "class_name": "ExponentialDecay",
        "config": {
            "initial_learning_rate": 0.1,
            "decay_steps": 5,
            "decay_rate": 0.9,
            "staircase": False,
            "name": None,
        },
    }
    made, cautions = _optimizer("SGD", learning_rate=schedule, decay=0.1, name="SGD")
    assert len(cautions) == 1
    assert made["config"]["learning_rate"]["config"]["decay_rate"] == 0.9
    model = _revived({**_modern()[0], "optimizer": made})
    model.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)


def test_the_norm_that_keras_2_3_clipped_was_that_of_all_gradients() -> None:
    made, _ = _optimizer("SGD", learning_rate=0.1, clipnorm=1.0)
    assert made["config"]["global_clipnorm"] == 1.0
    assert made["config"]["clipnorm"] is None
    made, _ = _optimizer("SGD", learning_rate=0.1, clipnorm=1.0, name="SGD")
    assert made["config"]["clipnorm"] == 1.0


def test_two_kinds_of_clipping_leave_one_with_a_caution() -> None:
    made, cautions = _optimizer(
        "SGD", learning_rate=0.1, clipnorm=1.0, clipvalue=0.5, name="SGD"
    )
    assert made["config"]["clipvalue"] is None
    assert len(cautions) == 1
    _revived({**_modern()[0], "optimizer": made})


def test_an_optimizer_of_2_11_is_no_custom_one() -> None:
    made, cautions = _optimizer(
        "Custom>Adam", learning_rate=0.1, is_legacy_optimizer=False, jit_compile=True
    )
    assert cautions == []
    assert made["class_name"] == "Adam"
    assert "jit_compile" not in made["config"]


@pytest.mark.parametrize(
    ("class_name", "config"),
    [
        ("TFOptimizer", {}),
        ("Custom>Adam", {"learning_rate": 0.1}),
        ("Addons>AdamW", {"learning_rate": 0.1, "weight_decay": 0.01}),
        ("SGD", {"learning_rate": {"class_name": "WarmUp", "config": {}}}),
        ("SGD", {"learning_rate": float("nan")}),
        ("SGD", {"learning_rate": 0.1, "momentum": [0.9]}),
    ],
)
def test_what_keras_3_does_not_have_is_named(
    class_name: str, config: dict[str, Any]
) -> None:
    made, cautions = _optimizer(class_name, **config)
    assert made is None
    assert len(cautions) == 1
    assert (
        class_name in cautions[0]
        or "WarmUp" in cautions[0]
        or "momentum" in (cautions[0])
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mse", "mse"),
        ("MSE", "MSE"),
        ("mean_squared_error", "mean_squared_error"),
        ("kld", "kld"),
        ("kullback_leibler_divergence", "kl_divergence"),
        ("cosine_proximity", "cosine_similarity"),
        ("logcosh", "log_cosh"),
        ({"class_name": "function", "config": "huber_loss"}, "huber"),
        (["mse"], "mse"),
        ({"out": "mae"}, "mae"),
        ([["mse"]], "mse"),
    ],
)
def test_losses_by_name(old: Any, new: str) -> None:
    made, repairs = _modern(loss=old)
    assert made["loss"] == new
    assert not any(each.caution for each in repairs)
    _revived(made)


def test_a_loss_class_of_keras_2() -> None:
    made, repairs = _modern(
        loss={
            "class_name": "BinaryCrossentropy",
            "config": {
                "reduction": "auto",
                "name": "bce",
                "from_logits": True,
                "label_smoothing": 0.1,
                "fn": "binary_crossentropy",
                "axis": -1,
            },
        }
    )
    assert [each.text for each in repairs] == [
        "reduction 'auto' → 'sum_over_batch_size'"
    ]
    loss = _revived(made).loss
    assert loss.get_config()["from_logits"] is True
    assert loss.get_config()["label_smoothing"] == 0.1
    assert loss.reduction == "sum_over_batch_size"


@pytest.mark.parametrize(
    "custom",
    [
        "dice_loss",
        {"class_name": "Custom>MyLoss", "config": {}},
        {"class_name": "function", "config": "my_loss", "module": "builtins"},
        {"class_name": "LossFunctionWrapper", "config": {"fn": "my_loss"}},
        {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}},
    ],
)
def test_a_custom_loss_is_left_out_with_its_name(custom: Any) -> None:
    made, repairs = _modern(loss=custom, metrics=["mae"])
    assert made["loss"] is None
    assert made["metrics"] == ["mae"]
    assert made["optimizer"]["class_name"] == "SGD"
    (caution,) = [each for each in repairs if each.caution]
    name = custom if isinstance(custom, str) else custom["class_name"]
    assert name in caution.text or "my_loss" in caution.text
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    model.compile_from_config(made)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("accuracy", "accuracy"),
        ("acc", "acc"),
        ("mse", "mse"),
        ("sparse_categorical_accuracy", "sparse_categorical_accuracy"),
        ("logcosh", "LogCoshError"),
        ("cosine_proximity", "CosineSimilarity"),
        ("KLD", "KLDivergence"),
    ],
)
def test_metrics_by_name(old: str, new: str) -> None:
    made, repairs = _modern(metrics=[old])
    (found,) = made["metrics"]
    assert (found if isinstance(found, str) else found["class_name"]) == new
    assert not any(each.caution for each in repairs)
    model = _revived(made)
    assert old in model.get_metrics_result()


def test_a_trained_models_metrics_are_known_again() -> None:
    # As TensorFlow 2.3 writes metrics=["accuracy"] once the model was trained.
    wrapped = {
        "class_name": "MeanMetricWrapper",
        "config": {"name": "accuracy", "dtype": "float32", "fn": "binary_accuracy"},
    }
    made, _ = _modern(metrics=[[wrapped]])
    assert made["metrics"] == [
        {
            "module": "keras.metrics",
            "class_name": "BinaryAccuracy",
            "config": {"name": "accuracy", "dtype": "float32"},
            "registered_name": None,
        }
    ]
    assert "accuracy" in _revived(made).get_metrics_result()


@pytest.mark.parametrize("name", ["f1_score", "precision", "auc", "dice_coef"])
def test_a_function_of_the_users_is_no_metric_of_keras_3(name: str) -> None:
    # Keras 2 had no such functions; Keras 3 takes some of the names for its classes.
    made, repairs = _modern(metrics=["mae", name])
    assert made["metrics"] == ["mae"]
    assert [name in each.text and each.caution for each in repairs] == [True]


@pytest.mark.parametrize(
    ("loss", "meant"),
    [
        ("binary_crossentropy", "BinaryCrossentropy"),
        ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"),
        ("mse", None),
    ],
)
def test_crossentropy_is_that_of_the_loss(loss: str, meant: str | None) -> None:
    made, _ = _modern(loss=loss, metrics=["ce"])
    found = made["metrics"]
    assert (found and found[0]["class_name"]) == meant


def test_a_metric_class_keeps_what_keras_3_takes() -> None:
    config = {"name": "pr", "dtype": "float32", "curve": "PR", "num_thresholds": 50}
    made, _ = _modern(
        metrics=[{"class_name": "AUC", "config": {**config, "old": [1, 2]}}]
    )
    found = made["metrics"][0]
    assert found["config"] == config
    keras.saving.deserialize_keras_object(found)


@pytest.mark.parametrize(
    ("document", "names"),
    [
        (None, None),
        (ONE, ("",)),
        (TWO, ("a", "b")),
        ({"class_name": "Mine", "config": {}}, None),
        (
            {"class_name": "F", "config": {"layers": [], "output_layers": ["a", 0, 0]}},
            ("a",),
        ),
        (
            {
                "class_name": "F",
                "config": {"layers": [], "output_layers": {"x": ["a", 0, 0]}},
            },
            None,
        ),
    ],
)
def test_output_names(document: Any, names: Any) -> None:
    assert output_names(document) == names


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mse", "mse"),
        (["mse", "mae"], ["mse", "mae"]),
        ({"b": "mae", "a": "mse"}, ["mse", "mae"]),
        ({"b": "mae"}, [None, "mae"]),
        (["mse", "mine"], ["mse", None]),
    ],
)
def test_losses_of_two_outputs(old: Any, new: Any) -> None:
    assert _modern(TWO, loss=old)[0]["loss"] == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, None),
        ([], None),
        (["mae"], [["mae"], ["mae"]]),
        (["mae", "mse"], [["mae", "mse"], ["mae", "mse"]]),
        ([["mae"], ["mse"]], [["mae"], ["mse"]]),
        ({"b": "mae"}, [None, ["mae"]]),
        ({"b": ["mae", "mine"], "a": ["mse"]}, [["mse"], ["mae"]]),
        ([["mine"], ["mse"]], [None, ["mse"]]),
    ],
)
def test_metrics_of_two_outputs(old: Any, new: Any) -> None:
    assert _modern(TWO, metrics=old)[0]["metrics"] == new


@pytest.mark.parametrize(
    ("loss", "weights", "kept"),
    [
        (["mse", "mae"], [1, 2], [1.0, 2.0]),
        (["mse", "mae"], {"a": 1, "b": 2}, [1.0, 2.0]),
        ({"a": "mse", "b": "mae"}, {"b": 2, "a": 1}, [1.0, 2.0]),
        (["mse", "mae"], None, None),
        (["mse", "mae"], [1, 2, 3], None),
        (["mse", "mae"], ["x", "y"], None),
    ],
)
def test_weights_of_two_losses(loss: Any, weights: Any, kept: Any) -> None:
    made, repairs = _modern(TWO, loss=loss, loss_weights=weights)
    assert made["loss_weights"] == kept
    assert any(each.caution for each in repairs) == (
        weights is not None and kept is None
    )


@pytest.mark.parametrize(
    "metrics", [["mae"], {"a": ["mae"], "b": ["mse"]}, [["mae"], ["mse"]]]
)
@pytest.mark.parametrize("form", ["h5", "keras", "tf"])
def test_two_outputs_are_evaluated_as_by_keras_2(
    metrics: Any, form: str, tmp_path: Path
) -> None:
    old = pytest.importorskip("tf_keras")
    entered = old.Input((3,))
    outputs = [old.layers.Dense(2, name=name)(entered) for name in ("a", "b")]
    model = old.Model(entered, outputs)
    model.compile(
        old.optimizers.Adam(),
        loss={"a": "mse", "b": old.losses.MeanAbsoluteError()},
        loss_weights={"a": 1, "b": 0.5},
        metrics=metrics,
    )
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    y = [np.zeros((8, 2), "float32"), np.ones((8, 2), "float32")]
    expected = model.evaluate(x, y, verbose=0, return_dict=True)
    path = tmp_path / ("saved" if form == "tf" else f"old.{form}")
    model.save(path, save_format=form)
    with open_model(path) as opened:
        opened.write(tmp_path / "new.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        new = keras.saving.load_model(tmp_path / "new.keras")
    found = new.evaluate(x, y, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-6)
    shared = set(found) & set(expected)
    assert len(shared) >= 5
    for name in shared:
        assert found[name] == pytest.approx(expected[name], rel=1e-5)


@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop", "adamw", "Nadam", "ftrl"])
def test_an_optimizer_that_was_only_named_has_its_defaults(name, tmp_path):
    """A `.keras` of Keras 2 keeps the bare name until the first step."""
    tf_keras = pytest.importorskip("tf_keras")
    old = tf_keras.Sequential([tf_keras.layers.Input((2,)), tf_keras.layers.Dense(1)])
    old.compile(name, "mse")
    old.save(tmp_path / "old.keras")

    upgrade_file(tmp_path / "old.keras", tmp_path / "new.keras")
    new = keras.saving.load_model(tmp_path / "new.keras")

    assert type(new.optimizer).__name__ == type(old.optimizer).__name__
    np.testing.assert_allclose(
        float(new.optimizer.learning_rate), float(old.optimizer.learning_rate.numpy())
    )
