"""Old models, in each format that the old Keras writes, beside the reference.

Every model runs in `tf_keras`, which is Keras 2 itself, is saved by it, brought up
to date from the file alone, opened by plain Keras 3, and run on the same inputs.
"""

import collections

import keras
import numpy as np
import pytest

from keras_rectifiers import convert_file
from keras_rectifiers.conversion.upgrade import upgrade_file
from tests.legacy import corpus
from tests.legacy import corpus_habits
from tests.legacy import corpus_layers
from tests.legacy import corpus_models
from tests.legacy import corpus_operations
from tests.legacy import corpus_recurrent
from tests.legacy.corpus import CASES
from tests.legacy.corpus import FORMATS
from tests.legacy.corpus import tf_keras

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="the reference runs on TensorFlow, and outputs are held to its kernels",
)

#: Modules whose import declares the models.
DECLARED = (
    corpus_layers,
    corpus_recurrent,
    corpus_models,
    corpus_operations,
    corpus_habits,
)
#: Formats whose reading does not depend on the layer: run with a few models by
#: default, and with all of them in a slow run.
EVERY_FORMAT = {
    "nested",
    "frozen",
    "partly_frozen",
    "words",
    "two_dimensions",
    "attention",
    "several_outputs",
    "clashing_names",
    "slashes",
    "residual",
    "trained_adam",
    "gru_forms",
}
#: Models of which a SavedModel takes seconds to write.
LONG_TO_SAVE = {"words", "gru_forms", "attention"}
#: Models whose conversion is looked at by default; all have a ReLU.
CONVERTED_BY_DEFAULT = {
    "dense",
    "nested",
    "two_dimensions",
    "masking",
    "residual",
    "unet",
    "shared_across_models",
    "mixed_float16",
}
#: Old layers that are both in both Keras and no layer to be saved.
NOT_SAVED = {"InputSpec", "Layer", "Wrapper"}
#: How the old Keras calls an operation that stands among the layers.
OPERATIONS = {"TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"}


def _parameters():
    for place, (name, one) in enumerate(CASES.items()):
        for file_format in FORMATS:
            if file_format in one.absent:
                continue
            # By default every second one; the sweep takes them all.
            chosen = file_format == "h5" and place % 2 == 0
            quick = chosen or name in EVERY_FORMAT
            long = file_format == "saved_model" and name in LONG_TO_SAVE
            slow = one.slow or long or not quick
            yield pytest.param(
                name,
                file_format,
                id=f"{name}-{file_format}",
                marks=[pytest.mark.slow] if slow else [],
            )


@pytest.mark.parametrize(("name", "file_format"), [*_parameters()])
def test_an_old_model_stays_the_same_function(name, file_format, tmp_path):
    """Outputs, weights, names and flags are those of the reference."""
    one = CASES[name]
    old, inputs = corpus.built(name)
    source, weights = FORMATS[file_format](old, tmp_path)
    target = tmp_path / "new" / "model.keras"
    target.parent.mkdir()

    upgrade_file(source, target, weights=weights)
    new = keras.saving.load_model(target, **one.opening())

    expected, got = corpus.run(old, inputs), corpus.run(new, inputs)
    assert corpus.difference(expected, got) <= one.tolerance
    if not one.unshared:
        _same_weights(old, new)
    _same_layers(one, old, new)


def _same_weights(old, new):
    """The same arrays are there, each as often as it was."""
    # What an adapted layer learned is in its config in Keras 3.
    learned = {
        id(w)
        for layer in old.layers
        if type(layer).__name__ in ("Discretization", "TextVectorization")
        for w in layer.weights
    }
    before = [
        np.asarray(w)
        for w in old.weights
        if not corpus.is_state(w) and id(w) not in learned
    ]
    after = [np.asarray(w) for w in new.weights]
    assert len(before) == len(after)
    assert _counted(before) == _counted(after)
    assert len(old.trainable_weights) == len(new.trainable_weights)


def _counted(arrays):
    return collections.Counter((a.shape, str(a.dtype), a.tobytes()) for a in arrays)


def _same_layers(one, old, new):
    def listed(model, sequential):
        for layer in model.layers:
            if type(layer).__name__ in OPERATIONS | {"InputLayer"}:
                continue
            if layer.name in one.left:
                continue
            yield (layer.name, layer.trainable)
            if isinstance(layer, sequential):
                yield from listed(layer, sequential)

    before = list(listed(old, tf_keras.Model))
    after = [
        found
        for found in listed(new, keras.Model)
        if found[0] in {name for name, _ in before} or not _operation(found[0])
    ]
    if one.renamed:
        assert [flag for _, flag in before] == [flag for _, flag in after]
        return
    assert sorted(before) == sorted(after)


def _operation(name):
    """Whether a layer of the new model stands where an old operation stood."""
    return name.startswith(("tf.", "tf_"))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=[] if name in CONVERTED_BY_DEFAULT else [pytest.mark.slow]
        )
        for name, one in CASES.items()
        if "h5" not in one.absent
    ],
)
def test_an_old_model_is_converted_like_any_other(name, tmp_path):
    """Leaky ReLUs of slope 0, or PReLUs, where ReLUs were: the same function."""
    one = CASES[name]
    old, inputs = corpus.built(name)
    source, _ = FORMATS["h5"](old, tmp_path)
    expected = corpus.run(old, inputs)

    for to, options in (("leaky_relu", {"negative_slope": 0.0}), ("prelu", {})):
        target = tmp_path / f"{to}.keras"
        plan = convert_file(source, target, to, **options)
        new = keras.saving.load_model(target, **one.opening())

        assert corpus.difference(expected, corpus.run(new, inputs)) <= one.tolerance
        if name in CONVERTED_BY_DEFAULT:
            assert plan.steps


def test_each_layer_of_both_keras_is_in_a_model():
    """Nothing that both Keras have is left out of the corpus."""
    both = {
        old.__name__
        for name in set(dir(tf_keras.layers)) & set(dir(keras.layers))
        if isinstance(old := getattr(tf_keras.layers, name), type)
    }
    there = set()
    for name, one in CASES.items():
        if not one.slow:
            old, _ = corpus.built(name)
            there |= {type(layer).__name__ for layer in old._flatten_layers()}

    assert sorted(both - there - NOT_SAVED) == []
