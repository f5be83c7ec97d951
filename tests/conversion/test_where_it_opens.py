import keras
import pytest

import keras_rectifiers
from keras_rectifiers import portability
from keras_rectifiers.conversion.where_it_opens import opens

_ALONE = "Keras opens it without keras_rectifiers."


@pytest.fixture
def model():
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, activation="relu", name="a"),
            keras.layers.Dense(2, name="b"),
        ]
    )


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_written_file_says_where_it_opens(model, tmp_path, ending):
    """Whatever is in it, and whichever command wrote it."""
    source = tmp_path / f"plain.{ending}"
    ours, stock = tmp_path / f"ours.{ending}", tmp_path / f"stock.{ending}"
    model.save(source)
    keras_rectifiers.convert_file(source, ours)
    keras_rectifiers.convert_file(source, stock, portable=True)

    assert opens(ours) == portability.requirement(["PReLU"])
    assert "only where that is imported" in opens(ours)
    assert (opens(source), opens(stock)) == (_ALONE, _ALONE)
