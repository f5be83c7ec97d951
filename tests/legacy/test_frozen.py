"""What is frozen from outside stays frozen."""

import keras
import pytest

from keras_rectifiers.conversion.upgrade import upgrade_file
from tests.legacy import corpus_models
from tests.legacy.corpus import tf_keras

layers = tf_keras.layers


def _written(model, tmp_path):
    model.save(tmp_path / "old.h5")
    record = upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
    return record, keras.saving.load_model(tmp_path / "new.keras")


def test_a_frozen_wrapper_freezes_both_directions(tmp_path):
    """The old config of a frozen Bidirectional says that its layer trains."""
    x = tf_keras.Input((5, 3))
    both = layers.Bidirectional(layers.LSTM(2))
    old = tf_keras.Model(x, layers.Dense(1)(both(x)))
    both.trainable = False

    record, new = _written(old, tmp_path)

    assert len(new.trainable_weights) == len(old.trainable_weights) == 2
    assert not new.layers[1].forward_layer.trainable
    assert not new.layers[1].backward_layer.trainable
    assert [each.rule for each in record.repairs].count("frozen") == 1


def test_what_trains_is_left_alone(tmp_path):
    """A frozen layer inside of a model that trains freezes nothing else."""
    inner = corpus_models.small("inner")
    inner.layers[1].trainable = False
    x = tf_keras.Input((4,))
    old = tf_keras.Model(x, layers.Dense(1)(inner(x)))

    record, new = _written(old, tmp_path)

    assert len(new.trainable_weights) == len(old.trainable_weights) == 4
    assert "frozen" not in {each.rule for each in record.repairs}


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.ConvLSTM1D(2, 2), (3, 5, 2)),
        (layers.ConvLSTM2D(2, 2), (3, 5, 5, 2)),
    ],
)
def test_what_keras_3_would_thaw_is_pointed_out(layer, shape, tmp_path):
    """Keras 3 opens such a layer as one that trains; the record says so."""
    x = tf_keras.Input(shape)
    old = tf_keras.Model(x, layer(x))
    layer.trainable = False

    record, _ = _written(old, tmp_path)

    assert [(each.rule, each.layer) for each in record.cautions] == [
        ("frozen", layer.name)
    ]
