"""What an optimizer keeps, whatever stands in its config."""

import pytest

from keras_rectifiers.surgery.optimizer_layout import class_and_config
from keras_rectifiers.surgery.optimizer_layout import layout_of


def _optimizer(name, module="keras.optimizers", registered=None, **config):
    return {
        "module": module,
        "class_name": name,
        "config": config,
        "registered_name": registered,
    }


@pytest.mark.parametrize(
    "optimizer",
    [
        None,
        3,
        [],
        "no optimizer",
        {},
        {"class_name": ["Adam"], "config": {}},
        _optimizer("Adam", registered="mine>Adam"),
        _optimizer("Adam", module="mine.optimizers"),
        _optimizer("Adam", module=7),
        _optimizer("LossScaleOptimizer"),
        _optimizer(
            "LossScaleOptimizer", inner_optimizer=_optimizer("LossScaleOptimizer")
        ),
        _optimizer("Muon", exclude_layers=["(a+)+$"]),
        _optimizer("Muon", exclude_layers="dense"),
    ],
)
def test_what_is_not_known_has_no_layout(optimizer):
    """No error, and no pattern of a file is run."""
    assert layout_of(optimizer) is None


@pytest.mark.parametrize("value", [None, "much", True, 10**400, float("nan"), [1]])
def test_a_number_that_is_not_one_is_the_default(value):
    """A config may say anything; Keras' default stands in for it."""
    found = layout_of(
        _optimizer("Adagrad", initial_accumulator_value=value, learning_rate=value)
    )

    (slot,) = found.slots_of(found.blocks[0], "d/kernel", (2, 3))
    assert (found.rate, slot.start) == (0.001, 0.1)


def test_a_name_means_the_default_arguments():
    """Whatever its case, as `compile` takes it; and Lamb is not found by name."""
    assert class_and_config("rMSprop") == ("RMSprop", {})
    assert layout_of("SGD").slots == ()
    assert layout_of("SGD").rate == 0.01
    assert layout_of("lamb") is None


def test_muon_leaves_vectors_embeddings_and_what_is_excluded_to_adam():
    """These have two slots, its own matrices one."""
    found = layout_of(_optimizer("Muon", exclude_layers=["head"]))

    def slots(path, *shape):
        return [each.name for each in found.slots_of(found.blocks[0], path, shape)]

    assert slots("d/kernel", 2, 3) == ["momentum"]
    assert slots("d/bias", 3) == ["momentum", "velocity"]
    assert slots("c/kernel", 3, 3, 2, 4) == ["momentum", "velocity"]
    assert slots("embedding/embeddings", 9, 4) == ["momentum", "velocity"]
    assert slots("head/kernel", 2, 3) == ["momentum", "velocity"]
