import keras
import numpy as np
import pytest
from keras import layers

from keras_rectifiers.diagnosis import criteria
from keras_rectifiers.diagnosis.diagnose import diagnose
from keras_rectifiers.errors import DataError
from keras_rectifiers.layers import PReLU

_RNG = np.random.default_rng(11)
_X = _RNG.normal(size=(40, 5)).astype("float32")
_Y = _RNG.normal(size=(40, 2)).astype("float32")


def _model(activation="relu", bias=(0.0, 0.0, 0.0, -50.0)):
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(4, activation=activation, name="hidden"),
            layers.Dense(2, name="out"),
        ]
    )
    hidden = model.get_layer("hidden")
    kernel, _ = hidden.get_weights()[:2]
    hidden.kernel.assign(kernel)
    hidden.bias.assign(np.array(bias))
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("name", criteria.CRITERIA)
def test_a_unit_that_never_fires_is_dead_for_everybody(name):
    """All definitions agree on a ReLU far below its threshold."""
    layer = diagnose(_model(), (_X, _Y), criterion=name).layers[0]

    assert layer.verdicts[3] == "dead"
    assert layer.criterion.reference


def test_definitions_differ_where_a_unit_seldom_fires():
    """A unit that fires once in 200 samples is dead for SageMaker and ReDo only."""
    x = np.zeros((200, 5), "float32")
    x[0] = 1.0
    model = _model(bias=(1.0, 1.0, 1.0, -0.5))
    kernel = np.zeros((5, 4), "float32")
    kernel[0, 3] = 1.0
    model.get_layer("hidden").kernel.assign(kernel)
    data = (x, np.zeros((200, 2), "float32"))

    found = {
        name: diagnose(model, data, criterion=name).layers[0].verdicts[3] == "dead"
        for name in criteria.CRITERIA
    }

    assert found == {
        "never_positive": False,
        "redo": True,
        "sagemaker": True,
        "autotrainer": False,
        "apoz": True,
    }


def test_a_layer_that_is_dead_throughout_is_so_for_apoz():
    """No unit lies above the mean of a layer without any life; all are dead."""
    layer = diagnose(_model(bias=[-50.0] * 4), _X, criterion="apoz").layers[0]

    assert layer.dead == 4


def test_layers_are_flagged_by_the_share_of_their_authors():
    """SageMaker flags a layer from half its units on, the default none."""
    model = _model(bias=(0.0, -50.0, -50.0, -50.0))

    assert diagnose(model, _X, criterion="sagemaker").layers[0].flagged
    assert not diagnose(model, _X).layers[0].flagged


def test_gradients_equal_those_by_hand():
    """Samples with a gradient are those whose unit fires and whose weights matter."""
    model = _model()
    out = model.get_layer("out")
    kernel = np.array([[1.0, 1.0], [0.0, 0.0], [1.0, -1.0], [1.0, 1.0]])
    out.kernel.assign(kernel)

    seen = diagnose(model, (_X, _Y), gradients=True, batch_size=16).layers[0].statistics

    hidden = model.get_layer("hidden")
    pre = _X @ keras.ops.convert_to_numpy(hidden.kernel) + np.array([0, 0, 0, -50.0])
    error = model.predict(_X, verbose=0) - _Y
    gradient = (error @ kernel.T) * (pre > 0)
    np.testing.assert_array_equal(seen.with_gradient, (gradient != 0).sum(0))
    assert seen.with_gradient[1] == seen.with_gradient[3] == 0


def test_gradients_reach_convolutions_and_slopes():
    """A convolution's unit has a gradient where any position has; a slope keeps it."""
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(4, 3, bias_initializer=keras.initializers.Constant(-9)),
            layers.LeakyReLU(0.5),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    images = _RNG.normal(size=(8, 6, 6, 3)).astype("float32")

    seen = diagnose(model, (images, np.ones((8, 1))), gradients=True).layers[0]

    assert seen.statistics.fired.max() < 8
    assert seen.statistics.with_gradient.tolist() == [8] * 4


def test_gradients_need_a_loss_and_labels():
    """Without either there is one sentence that says so."""
    model = keras.Sequential([keras.Input((5,)), layers.Dense(2, activation="relu")])
    with pytest.raises(ValueError, match="compile"):
        diagnose(model, (_X, _Y), gradients=True)

    with pytest.raises(DataError, match="labels"):
        diagnose(_model(), _X, gradients=True)


def test_a_wrong_name_is_told_with_the_nearest():
    """Criteria are found by their names."""
    with pytest.raises(ValueError, match="Did you mean 'sagemaker'"):
        diagnose(_model(), _X, criterion="sagemakr")


def test_dormancy_has_both_thresholds_of_its_paper():
    """The share of dormant units grows with tau and holds the silent ones."""
    layer = diagnose(_model(), _X).layers[0]

    assert layer.dormant_fraction() == 0.25
    assert layer.dormant_fraction(0.1) >= 0.25
    assert layer.dormant_fraction(1e9) == 1.0


@pytest.mark.parametrize("axes", [(1, 2, 3), (1, 3), (-1,), (2,)])
def test_units_along_any_axes_equal_numpy(axes):
    """Each axis that tells units apart is kept, the others are positions."""
    model = keras.Sequential([keras.Input((4, 5, 3)), layers.ReLU(name="r")])
    data = _RNG.normal(size=(9, 4, 5, 3)).astype("float32")

    layer = diagnose(model, data, unit_axes=axes, batch_size=4).layers[0]

    kept = sorted(axis % 4 for axis in axes)
    rest = [axis for axis in (1, 2, 3) if axis not in kept]
    h = np.maximum(data, 0).transpose(0, *rest, *kept)
    h = h.reshape(9, -1, layer.units)
    assert layer.unit_shape == tuple(data.shape[axis] for axis in kept)
    np.testing.assert_array_equal(layer.statistics.fired, (h > 0).any(1).sum(0))
    np.testing.assert_array_equal(layer.statistics.fired_positions, (h > 0).sum((0, 1)))
    np.testing.assert_allclose(layer.statistics.sum_abs, h.sum((0, 1)), rtol=1e-5)


def test_slopes_follow_the_axes():
    """Units at each place have the slope of their channel."""
    model = keras.Sequential([keras.Input((2, 3, 4)), PReLU()])
    model.layers[0].alpha.assign(np.arange(4.0).reshape(model.layers[0].alpha.shape))

    layer = diagnose(model, np.ones((2, 2, 3, 4), "float32"), unit_axes=(2, 3)).layers[
        0
    ]

    assert layer.slopes.reshape(3, 4).tolist() == [[0, 1, 2, 3]] * 3


def test_peaks_are_the_histogram_of_each_samples_greatest_output():
    """Bins are powers of four; a sample that did not fire is in the first."""
    model = keras.Sequential([keras.Input((3, 1)), layers.ReLU()])
    data = np.array([[-1, -2, 0], [0.3, 0.1, -5], [5, 1, 0.01], [1e9, 0, 0]], "float32")

    statistics = diagnose(model, data[..., None]).layers[0].statistics

    edges = [-1, *np.array([0.0, *(4.0**k for k in range(-7, 7))]), np.inf]
    peaks = np.maximum(data, 0).max(1)
    bins = [0 if p == 0 else np.searchsorted(edges[1:], p, "right") for p in peaks]
    expected = np.bincount(bins, minlength=statistics.peaks.shape[1])
    assert statistics.peaks[0].tolist() == expected.tolist()
    assert statistics.peaks.sum() == 4
