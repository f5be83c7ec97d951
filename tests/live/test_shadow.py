"""What stands in for an attribute is gone after the context, whatever happens."""

import keras
import pytest

from keras_rectifiers.live.shadow import Shadow
from keras_rectifiers.live.shadow import shadowed


def test_a_call_is_replaced_inside_the_context_only():
    layer = keras.layers.ReLU()

    with shadowed(layer, call=lambda x: x + 1):
        inside = float(layer(keras.ops.array([-3.0]))[0])

    assert inside == -2.0
    assert "call" not in vars(layer)
    assert float(layer(keras.ops.array([-3.0]))[0]) == 0.0


def test_an_error_inside_puts_everything_back():
    layer = keras.layers.ReLU()

    with pytest.raises(ZeroDivisionError), shadowed(layer, call=None, name="other"):
        raise ZeroDivisionError

    assert "call" not in vars(layer)
    assert layer.name != "other"


def test_shadows_inside_each_other_end_one_after_the_other():
    layer = keras.layers.ReLU()

    with shadowed(layer, call="outer"):
        with shadowed(layer, call="inner"):
            assert layer.call == "inner"
        assert layer.call == "outer"

    assert "call" not in vars(layer)


def test_what_the_user_put_there_before_comes_back():
    layer = keras.layers.ReLU()
    mine = lambda x: x * 2  # noqa: E731
    vars(layer)["call"] = mine

    with shadowed(layer, call=lambda x: x):
        pass

    assert layer.call is mine


def test_what_others_put_there_since_stays_and_twice_is_once():
    layer = keras.layers.ReLU()
    shadow = Shadow(layer, call="ours")
    vars(layer)["call"] = "theirs"

    assert not shadow.lift()
    assert layer.call == "theirs"

    del vars(layer)["call"]
    again = Shadow(layer, call="ours")
    assert again.lift()
    assert not again.lift()
    assert "call" not in vars(layer)
