"""Files are converted as live models are: no backend has a part in it."""

import keras
import numpy as np
import pytest

import keras_rectifiers
from tests.backends import some_by_default
from tests.surgery.small import OPTIMIZERS
from tests.surgery.small import batches
from tests.surgery.small import small_model
from tests.surgery.small import train

#: Those that are tried by default; they have the most kinds of slots.
_FAST = ("adam", "adamw_ema", "loss_scaled", "muon", "adafactor", "sgd")


@pytest.mark.parametrize("name", some_by_default(OPTIMIZERS, _FAST))
def test_an_optimizer_in_a_file_is_carried_like_a_live_one(name, tmp_path):
    """The slots in the converted file are those of the live conversion."""
    model = small_model(OPTIMIZERS[name]())
    train(model, batches())
    model.save(tmp_path / "a.keras")
    live = keras_rectifiers.convert(model, alpha=0.25)

    keras_rectifiers.convert_file(
        tmp_path / "a.keras", tmp_path / "b.keras", alpha=0.25
    )

    filed = keras.saving.load_model(tmp_path / "b.keras")
    assert len(filed.optimizer.variables) == len(live.optimizer.variables)
    for ours, theirs in zip(
        filed.optimizer.variables, live.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_a_file_is_converted_again_and_again(tmp_path):
    """ReLU to Leaky to PReLU to Leaky, file by file, each opens as it should."""
    model = small_model(OPTIMIZERS["adam"]())
    train(model, batches())
    names = [str(tmp_path / f"{name}.keras") for name in "abcd"]
    model.save(names[0])
    steps = (
        ("leaky_relu", {"negative_slope": 0.0}),
        ("prelu", {"of": "leaky_relu"}),
        ("leaky_relu", {"of": "prelu"}),
    )

    for source, target, (to, options) in zip(names, names[1:], steps, strict=False):
        keras_rectifiers.convert_file(source, target, to, **options)

    for name in names[1:]:
        verification = keras_rectifiers.verify(model, name)
        assert verification.bit_equal
        assert verification.weights_equal
        slots = keras.saving.load_model(name).optimizer.variables
        kept = [np.asarray(slot).tobytes() for slot in slots]
        for slot in model.optimizer.variables:
            assert np.asarray(slot).tobytes() in kept
