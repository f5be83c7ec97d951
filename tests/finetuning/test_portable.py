"""Fine-tuned models in stock layers, which open without this package."""

import json
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.finetuning import portable
from keras_rectifiers.layers import LeakyReLU
from keras_rectifiers.layers import PReLU

_X = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
_Y = (_X[:, 0] > 0).astype("int32")


def _model():
    """A classifier, half of whose hidden units are dead."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.layers[0].bias.assign([-50.0] * 4 + [0.5] * 4)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _names(model, tmp_path):
    """Every registered name that a file of the model holds."""
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        text = archive.read("config.json").decode()
    return [name for name in ("keras_rectifiers",) if name in text]


@pytest.mark.parametrize("options", [{"treatment": "slopes"}, {"to": "prelu"}])
def test_a_portable_result_computes_what_the_other_does(options, tmp_path):
    """The same run in stock layers: the same outputs, and no name of this package."""
    ours, stock = (
        keras_rectifiers.finetune(
            _model(), (_X, _Y), epochs=2, keep_best=False, portable=each, **options
        )
        for each in (False, True)
    )

    assert ours.own_classes == ("PReLU",)
    assert "Keras opens it only where that is imported" in str(ours)
    assert stock.own_classes == ()
    assert "Keras opens it only" not in str(stock)
    assert _names(ours.model, tmp_path) == ["keras_rectifiers"]
    assert _names(stock.model, tmp_path) == []
    # With `to` stock layers are trained, whose last bits are their own.
    expected = ours.model.predict(_X)
    np.testing.assert_allclose(stock.model.predict(_X), expected, atol=1e-6)


def test_what_chooses_the_treatment_is_not_changed_by_it():
    """Portable alone asks for no conversion."""
    result = keras_rectifiers.finetune(_model(), (_X, _Y), epochs=1, portable=True)

    assert result.treatment in ("revive", "restart")


def _rectified(*rectifiers):
    """A network of these rectifiers, each after a Dense."""
    inner = [part for each in rectifiers for part in (layers.Dense(4), each)]
    model = keras.Sequential([keras.Input((6,)), *inner, layers.Dense(1)])
    for layer in model.layers:
        if isinstance(layer, PReLU):
            layer.alpha.assign(np.linspace(-1, 1, 4).reshape(layer.alpha.shape))
    return model


def test_each_class_of_ours_becomes_one_of_keras():
    """Outputs are bit for bit what they were; layers of Keras stay."""
    model = _rectified(
        PReLU(), LeakyReLU(negative_slope=0.3), layers.ReLU(), layers.PReLU()
    )

    made, left = portable.stock(model)

    assert left == ()
    assert portable.own_classes(model) == ("PReLU", "LeakyReLU")
    assert portable.own_classes(made) == ()
    np.testing.assert_array_equal(made(_X), model(_X))


def test_what_has_no_stock_form_is_told_and_stays():
    """Keras refuses a negative slope."""
    model = _rectified(LeakyReLU(negative_slope=-0.3, name="bent"))

    made, left = portable.stock(model)

    assert made is model
    assert left == ("bent is not portable: stock Keras refuses negative slopes.",)


def test_a_file_is_made_portable_after_the_fact(tmp_path):
    """`convert_file` with `of="prelu"` does the same, without Keras."""
    model = _rectified(PReLU(), layers.PReLU())
    model.save(tmp_path / "ours.keras")

    plan = keras_rectifiers.convert_file(
        tmp_path / "ours.keras", tmp_path / "stock.keras", of="prelu", portable=True
    )

    assert len(plan.steps) == 1
    assert [skip.reason for skip in plan.skips] == ["already"]
    assert json.loads(plan.to_json())["steps"][0]["note"] == "keeps its slopes"
    made = keras.saving.load_model(tmp_path / "stock.keras")
    assert portable.own_classes(made) == ()
    np.testing.assert_array_equal(made(_X), model(_X))


def test_an_upper_bound_is_kept():
    """A PReLU with a bound becomes a stock one under that bound."""
    model = _rectified(PReLU(max_value=0.5, name="capped"))

    made, left = portable.stock(model)

    assert left == ()
    assert portable.own_classes(made) == ()
    assert float(np.max(made.layers[1](10 * _X[:, :4]))) == 0.5
    np.testing.assert_array_equal(made(_X), model(_X))
