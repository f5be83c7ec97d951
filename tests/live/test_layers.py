"""The index of layers: each object once, at the path where it is first met."""

import keras

from keras_rectifiers.live import layers
from keras_rectifiers.live import rectifiers


class _Holder(keras.layers.Layer):
    """Holds layers in a list and a dict, and the model around it if it is told."""

    def __init__(self, shared, **kwargs):
        super().__init__(**kwargs)
        self.listed = [keras.layers.ReLU(name="in_list")]
        self.keyed = {"key": keras.layers.ReLU(name="in_dict"), "again": shared}
        self.around = None

    def call(self, x):
        return self.keyed["again"](self.keyed["key"](self.listed[0](x)))


def _model():
    shared = keras.layers.Dense(4, "relu", name="shared")
    inner = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(4, "relu", name="d")], name="inner"
    )
    inputs = keras.Input((4,), name="x")
    y = _Holder(shared, name="holder")(shared(inputs))
    y = keras.layers.TimeDistributed(inner, name="steps")(
        keras.layers.Reshape((1, 4), name="cut")(y)
    )
    return keras.Model(inputs, keras.ops.relu(y))


def test_members_are_listed_before_what_is_inside_them():
    model = _model()

    paths = [path for path, *_ in layers.walk(model)]

    assert paths[:6] == [
        "x",
        "shared",
        "holder",
        "holder/in_list",
        "holder/in_dict",
        "cut",
    ]
    assert paths[6:] == ["steps", "steps/inner", "steps/inner/d", paths[-1]]
    assert type(model.operations[-1]).__name__ == "Relu"


def test_each_member_has_its_parent_and_is_met_once():
    model = _model()

    found = {path: (member, parent) for path, member, parent, _ in layers.walk(model)}

    holder = model.get_layer("holder")
    assert found["holder"] == (holder, model)
    assert found["holder/in_dict"] == (holder.keyed["key"], holder)
    assert found["shared"] == (holder.keyed["again"], model)
    assert "holder/shared" not in found


def test_layers_by_path_are_those_of_the_document_and_the_model_itself():
    model = _model()

    found = layers.by_path(model)

    assert found[""] is model
    assert found["steps/inner/d"] is model.get_layer("steps").layer.layers[0]
    assert model.operations[-1].name not in found


class _Around(keras.Model):
    """A model that a layer inside it holds."""

    def __init__(self):
        super().__init__(name="around")
        self.child = _Holder(keras.layers.ReLU(name="shared"), name="holder")
        self.child.around = self
        self.child.itself = self.child
        self.last = keras.layers.ReLU(name="last")


def test_a_layer_that_holds_the_model_around_it_ends_the_walk():
    model = _Around()

    paths = [path for path, *_ in layers.walk(model)]

    inside = ["holder/in_list", "holder/in_dict", "holder/shared"]
    assert sorted(paths) == sorted(["holder", *inside, "last"])
    assert [each.path for each in rectifiers.find(model)] == paths[1:]
    found = [id(each) for each in layers.flat(model)]
    assert sorted(found) == sorted(id(each) for each in layers.by_path(model).values())
    assert len(set(found)) == len(found)


def test_closed_classes_are_neither_listed_nor_entered():
    model = _model()

    found = layers.walk(model, closed=(_Holder, keras.layers.TimeDistributed))

    assert [path for path, *_ in found][:3] == ["x", "shared", "cut"]
