import keras
import numpy as np
import pytest

from keras_rectifiers.finetuning.optimizers import default_metrics
from keras_rectifiers.finetuning.optimizers import prepare
from keras_rectifiers.finetuning.optimizers import renew
from keras_rectifiers.layers import PReLU
from keras_rectifiers.slopes import exclude_from_weight_decay


def _array(variable):
    return np.array(keras.ops.convert_to_numpy(variable))


def _model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, name="dense"),
            PReLU(alpha_initializer=keras.initializers.Constant(0.5), name="prelu"),
            keras.layers.Dense(1, name="end"),
        ]
    )


@pytest.mark.parametrize("trained", [False, True])
def test_slopes_do_not_decay(trained):
    """With zero gradients a kernel decays, and a slope stays what it is."""
    model = _model()
    optimizer = keras.optimizers.AdamW(0.1, weight_decay=0.1)
    if trained:
        optimizer.build(model.trainable_variables)
    kept = exclude_from_weight_decay(optimizer, model)
    before = _array(model.get_layer("dense").kernel)

    kept.apply(
        [keras.ops.zeros(each.shape) for each in model.trainable_variables],
        model.trainable_variables,
    )

    after = _array(model.get_layer("dense").kernel)
    np.testing.assert_allclose(after, before * 0.99, rtol=1e-6)
    np.testing.assert_array_equal(_array(model.get_layer("prelu").alpha), 0.5)


def test_the_state_of_a_trained_optimizer_stays():
    """An optimizer that has to be made anew has the state of the old one."""
    model = _model()
    model.compile(keras.optimizers.AdamW(0.01, weight_decay=0.1), "mse")
    model.fit(np.ones((32, 3)), np.ones((32, 1)), batch_size=8, verbose=0)
    old = [_array(each) for each in model.optimizer.variables]

    prepare(model)

    assert int(model.optimizer.iterations) == 4
    for before, after in zip(old, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(before, _array(after))
    model.fit(np.ones((32, 3)), np.ones((32, 1)), batch_size=8, verbose=0)
    assert int(model.optimizer.iterations) == 8


def test_without_decay_the_optimizer_is_the_same_object():
    """An optimizer without weight decay is left alone."""
    model = _model()
    adam = keras.optimizers.Adam()

    assert exclude_from_weight_decay(adam, model) is adam


def test_a_schedule_is_not_overruled():
    """A learning rate on top of a schedule is refused with both ways out."""
    model = _model()
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 100)
    model.compile(keras.optimizers.SGD(schedule), "mse")

    with pytest.raises(ValueError, match=r"schedule.*loss="):
        prepare(model, learning_rate=0.1)


@pytest.mark.parametrize(
    ("loss", "metrics", "expected"),
    [
        ("mse", None, None),
        ("binary_crossentropy", None, ["accuracy"]),
        (keras.losses.SparseCategoricalCrossentropy(), None, ["accuracy"]),
        ("binary_crossentropy", ["mae"], ["mae"]),
    ],
)
def test_accuracy_belongs_to_classes(loss, metrics, expected):
    """A cross-entropy is told with the accuracy, where no metric is asked for."""
    assert default_metrics(loss, metrics) == expected


def test_an_optimizer_that_starts_anew_keeps_its_exclusions():
    """What was left out of weight decay by name is left out by the new one, too."""
    model = _model()
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimizer, "mse")
    optimizer.build(model.trainable_variables)

    renew(model)

    decaying = [
        each.name
        for each in model.trainable_variables
        if model.optimizer._use_weight_decay(each)
    ]
    assert decaying == ["kernel", "kernel"]


@pytest.mark.parametrize("scaled", [False, True])
def test_an_optimizer_that_starts_anew_follows_no_schedule(scaled):
    """Its rate is that of now, and no higher than the default; its class stays."""
    model = _model()
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.9)
    optimizer = keras.optimizers.Adam(schedule, beta_1=0.8)
    if scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer, "mse")
    model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0)

    said = renew(model)

    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    assert said == "The optimizer starts again, at a rate of 0.001."
    assert type(model.optimizer) is type(optimizer)
    assert inner.beta_1 == 0.8
    inner.learning_rate = 0.25  # it can be set
    model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0)
    assert float(_array(inner.learning_rate)) == 0.25
