"""What Keras' classes do to the axis of the channels, one by one."""

import keras
import pytest
from keras import ops

from keras_rectifiers.graph import traits


def _after(class_name, given, rank, behind, **arguments):
    operation = class_name not in traits.LAYERS
    found = traits.of(class_name, operation=operation)
    return traits.after(found, arguments.get, [(given, rank)], behind)


@pytest.mark.parametrize(
    ("operation", "axis", "expected"),
    [
        (ops.transpose, 1, 2),
        (lambda x: ops.transpose(x, (0, 3, 1, 2)), -1, 1),
        (lambda x: ops.swapaxes(x, 1, -1), 1, -1),
        (lambda x: ops.moveaxis(x, 1, -1), 1, -1),
        (lambda x: ops.moveaxis(x, 1, 2), 2, 1),
        (lambda x: ops.expand_dims(x, 1), 1, 2),
        (lambda x: ops.expand_dims(x, -1), -1, 3),
        (lambda x: ops.squeeze(x[:, :, :1], 2), 1, 1),
        (lambda x: ops.mean(x, axis=(2, 3)), 1, -1),
        (lambda x: ops.mean(x, axis=(1, 2)), -1, -1),
        (lambda x: ops.max(x, axis=1, keepdims=True), 2, 2),
        (lambda x: ops.sum(x, axis=1), 1, None),
        (lambda x: ops.reshape(x, (-1, 60)), 1, None),
    ],
)
def test_operations(operation, axis, expected):
    """Operations move, add and drop axes as they say."""
    outputs = operation(keras.Input((3, 4, 5), batch_size=2))
    member = outputs._keras_history.operation

    found = traits.after(
        traits.of(type(member).__name__, operation=True),
        lambda name: getattr(member, name, None),
        [(axis, 4)],
        len(outputs.shape),
    )

    assert found == expected


def test_another_class_of_the_same_name():
    """Of a class that is not Keras' own only its `data_format` is believed."""
    given = [(1, 4)]

    dense = traits.of_entry({"class_name": "Dense", "registered_name": "my>Dense"})
    assert traits.after(dense, {}.get, given, 4) == 1
    stated = {"data_format": "channels_first"}
    assert traits.after(traits.UNKNOWN, stated.get, [(-1, 4)], 4) == 1


def test_an_unknown_layer_that_changes_the_rank():
    """Where an unknown layer drops an axis, only the last one is still known."""
    assert traits.after(traits.UNKNOWN, {}.get, [(1, 4)], 3) is None
    assert traits.after(traits.UNKNOWN, {}.get, [(-1, 4)], 3) == -1


def test_the_first_that_is_known():
    """Where branches meet, the axis is that of the first one that knows it."""
    assert traits.after(traits.of("Add"), {}.get, [(None, 4), (1, 4)], 4) == 1


def test_numbers_without_axes():
    """A single number has no axis of channels, and no error comes of it."""
    assert _after("Sum", 1, 0, 0, axis=[0]) is None
    assert _after("Transpose", -1, 0, 0) is None
    assert traits.agreed([(None, 0), (1, 0)]) == (-1, False)


@pytest.mark.parametrize("dims", [None, [], "ab", [1, "b"], {"items": [2, 1]}])
def test_malformed_arguments(dims):
    """Arguments of another kind, as a file may hold them, are no error."""
    assert _after("Permute", 1, 3, 3, dims=dims) in (None, 0, -1, 1, 2)


def test_calls_of_several_ranks():
    """One axis serves several calls where it is the same in each of them."""
    assert traits.agreed([(-1, 2), (1, 4)]) == (1, True)
    assert traits.agreed([(-1, 3), (1, 4)]) == (-1, False)
    assert traits.agreed([]) == (-1, True)
