"""What a comparison of two models finds, beyond what the conversion paired itself."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.errors import VerificationError
from keras_rectifiers.surgery.pairs import pair


def _model(penalty=None, shared=False):
    """Two hidden layers with PReLU, one object or two, and one with ReLU."""
    keras.utils.set_random_seed(2)
    prelus = [layers.PReLU(name="slopes"), layers.PReLU(name="slopes")]
    if shared:
        prelus[1] = prelus[0]
    names = ("a", "b")
    hidden = [
        layers.Dense(4, activation=prelu, name=name)
        for name, prelu in zip(names, prelus, strict=True)
    ]
    rectify = layers.ReLU(activity_regularizer=penalty, name="rectify")
    end = layers.Dense(2, name="end")
    model = keras.Sequential([keras.Input((4,)), *hidden, rectify, end])
    model(np.ones((1, 4), "float32"))  # which builds what is in a slot
    for variable in model.weights:
        variable.assign(np.full(variable.shape, 0.5))
    model.run_eagerly = True
    return model


@pytest.mark.parametrize("stored", [False, True])
def test_penalties_are_compared(stored, tmp_path):
    """A penalty that got lost is found, live and in a file, and told."""
    model = _model(penalty="l2")
    kept = keras_rectifiers.convert(model)
    lost = keras_rectifiers.convert(model)
    lost.get_layer("rectify").activity_regularizer = None
    if stored:
        paths = [tmp_path / "kept.keras", tmp_path / "lost.keras"]
        for each, path in zip((kept, lost), paths, strict=True):
            each.save(path)
        kept, lost = paths

    good = keras_rectifiers.verify(model, kept)
    bad = keras_rectifiers.verify(model, lost)

    assert good.holds
    assert good.losses[0] == good.losses[1] > 0
    assert bad.bit_equal
    assert bad.variables_kept
    assert not bad.losses_equal
    assert "losses of its layers are 0, not" in str(bad)
    with pytest.raises(VerificationError, match="losses"):
        bad.require()


@pytest.mark.parametrize("stored", [False, True])
def test_the_states_of_optimizers_are_compared(stored, tmp_path):
    """A slot that differs is found by its name, live and in a file."""
    model = _model()
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", run_eagerly=True)
    x = np.ones((4, 4), "float32")
    model.train_on_batch(x, x[:, :2])
    converted = keras_rectifiers.convert(model)
    good = keras_rectifiers.verify(model, converted)
    changed = converted.optimizer.momentums[0]
    changed.assign(changed + 1)
    if stored:
        converted.save(tmp_path / "changed.keras")
        converted = tmp_path / "changed.keras"

    bad = keras_rectifiers.verify(model, converted)

    assert good.holds
    assert good.slots == len(model.optimizer.variables)
    assert bad.weights_equal
    assert bad.variables_kept
    assert not bad.holds
    assert len(bad.slots_differing) == 1
    assert f"1 of {good.slots} variables of the optimizer differ" in str(bad)


def test_outputs_under_other_names_are_not_the_same():
    """The arrays may be, but what asks for them by name does not find them."""
    inputs = keras.Input((4,), name="inputs")
    x = layers.Dense(2, name="only")(inputs)

    verification = keras_rectifiers.verify(
        keras.Model(inputs, {"a": x}), keras.Model(inputs, {"b": x})
    )

    assert verification.max_difference == 0
    assert not verification.bit_equal


def test_variables_of_both_models_are_counted():
    """Those that came and went are told beside those that stayed."""
    model = _model()

    converted = keras_rectifiers.convert(model)
    folded = keras_rectifiers.convert(model, "relu", of="prelu")

    more = keras_rectifiers.verify(model, converted)
    less = keras_rectifiers.verify(model, folded)
    assert (more.variables, more.added, more.dropped) == ((8, 9), 1, 0)
    assert (less.variables, less.added, less.dropped) == ((8, 6), 0, 2)
    assert "all 8 variables unchanged (1 added)" in str(more)
    assert "all 6 variables unchanged (2 dropped)" in str(less)


def test_what_is_not_shared_any_more_is_told():
    """Equal slopes in two layers are not the slopes of one: they train apart."""
    verification = keras_rectifiers.verify(_model(shared=True), _model(shared=False))

    assert verification.bit_equal
    assert verification.weights_equal
    assert verification.split == ("b/slopes",)
    assert "b/slopes is no longer shared" in str(verification)
    with pytest.raises(VerificationError, match="no longer shared"):
        verification.require()


def test_what_became_one_is_refused():
    """Two layers cannot be the same one: half of their weights would be lost."""
    with pytest.raises(VerificationError, match="exactly one counterpart"):
        keras_rectifiers.verify(_model(shared=False), _model(shared=True))


def test_a_variable_without_a_counterpart_is_an_error():
    """A layer outside the graph is in no config: it is named, and not lost."""
    with pytest.raises(UnsupportedModelError, match="aside"):
        keras_rectifiers.convert(_graph(aside=True))
    with pytest.raises(UnsupportedModelError, match="rebuilt model"):
        pair(_graph(aside=False), _graph(aside=True))


def _graph(*, aside):
    inputs = keras.Input((4,), name="inputs")
    model = keras.Model(inputs, layers.Dense(2, "relu", name="only")(inputs))
    if aside:
        model.aside = layers.Dense(2, name="aside")
        model.aside.build((None, 4))
    return model
