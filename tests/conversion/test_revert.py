"""A conversion can be undone: the config as it was, and each weight but the slopes."""

import dataclasses
import functools
import json
import zipfile

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

import keras_rectifiers
from keras_rectifiers.conversion import kept_plans
from keras_rectifiers.errors import PlanMismatchError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.way_back import difference
from keras_rectifiers.surgery.way_back import patched


@keras.saving.register_keras_serializable("revert_tests")
class Net(keras.Model):
    """A model whose layers are made in Python code."""

    def __init__(self, units=4, fused="relu", **kwargs):
        super().__init__(**kwargs)
        self.units, self.fused = units, fused
        self.first = layers.Dense(units)
        self.act = layers.ReLU()
        self.kept = layers.ReLU(name="kept")
        self.blocks = [layers.Dense(units, activation=fused), layers.Dense(units)]
        self.head = layers.Dense(2)

    def call(self, x):
        hidden = self.act(self.first(x))
        for block in self.blocks:
            hidden = block(hidden)
        return self.head(self.kept(hidden))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "fused": self.fused}


def _spellings():
    """Every way to write a rectifier, one of them called at two widths."""
    inputs = keras.Input((8, 8, 3))
    hidden = layers.Conv2D(4, 3, activation="relu", name="fused")(inputs)
    hidden = layers.Activation("relu", name="named")(hidden)
    hidden = ops.where(hidden > 0, hidden, 0.0)
    hidden = ops.maximum(layers.Conv2D(4, 1, name="mixed")(hidden), 0.0)
    shared = layers.ReLU(max_value=6, name="shared")
    wide = shared(layers.Conv2D(7, 3, name="wide")(shared(hidden)))
    outputs = layers.Dense(2, name="head")(ops.relu(wide))
    return keras.Model(inputs, outputs, name="spellings")


def _nested():
    """Models inside models, wrappers, and one layer that two models share."""
    relu = layers.ReLU(name="both")
    inner = keras.Sequential(
        [keras.Input((6,)), layers.Dense(6, "relu", name="host"), relu], name="inner"
    )
    inputs = keras.Input((3, 4))
    each = layers.TimeDistributed(layers.Dense(6, "relu", name="one"), name="each")
    hidden = layers.GlobalMaxPooling1D(name="pool")(each(inputs))
    hidden = relu(layers.Dense(6, name="own")(inner(hidden)))
    return keras.Model(inputs, layers.Dense(2, name="head")(hidden), name="nested")


def _sequential():
    names = [layers.Dense(6, "relu6", name="a"), layers.ReLU(name="b")]
    return keras.Sequential(
        [keras.Input((4,)), *names, layers.Dense(2, name="head")], name="chain"
    )


MODELS = {"spellings": _spellings, "nested": _nested, "sequential": _sequential}


def _data(model):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, *model.inputs[0].shape[1:])).astype("float32")
    return x, rng.normal(size=(8, *model.outputs[0].shape[1:])).astype("float32")


def _trained(make):
    """A model with an optimizer's state."""
    model = make()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(*_data(model), verbose=0)
    return model


def _config(path):
    with zipfile.ZipFile(path) as file:
        return json.loads(file.read("config.json"))


def _without_marks(value):
    """A config without the numbers that Keras gives anew each time it saves."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k != "shared_object_id"}
        return {k: _without_marks(v) for k, v in kept.items()}
    return (
        [_without_marks(each) for each in value] if isinstance(value, list) else value
    )


@pytest.mark.parametrize("to", ["prelu", "leaky_relu"])
@pytest.mark.parametrize("name", MODELS)
def test_a_file_is_what_it_was(tmp_path, name, to):
    """Config, weights and optimizer are the original's; Keras is not asked."""
    source, there, back = (tmp_path / f"{n}.keras" for n in ("a", "b", "c"))
    _trained(MODELS[name]).save(source)
    plan = keras_rectifiers.convert_file(source, there, to, roles=ROLES)

    result = keras_rectifiers.revert_file(there, back)

    assert len(result.sites) == len(plan.steps) > 1
    assert result.repairs == ()
    assert result.left == 0
    assert _config(back) == _config(source)
    assert keras_rectifiers.diff(source, back).same
    assert zipfile.ZipFile(back).namelist() == zipfile.ZipFile(source).namelist()


ROLES = ("hidden", "output")


def test_bytes_that_were_not_touched_are_the_same(tmp_path):
    """Where no slope is a weight, every member has the bytes of the original."""
    source, there, back = (tmp_path / f"{n}.keras" for n in ("a", "b", "c"))
    _sequential().save(source)
    keras_rectifiers.convert_file(source, there, "leaky_relu")

    keras_rectifiers.revert_file(there, back)

    with zipfile.ZipFile(source) as one, zipfile.ZipFile(back) as other:
        assert one.read("model.weights.h5") == other.read("model.weights.h5")
        assert one.read("metadata.json") == other.read("metadata.json")


@pytest.mark.parametrize("name", MODELS)
def test_a_live_model_is_what_it_was(name):
    """So it is with a model in memory, which goes on training as the original."""
    model = _trained(MODELS[name])
    converted = keras_rectifiers.convert(model)

    back = keras_rectifiers.revert(converted)

    assert back.to_json() == model.to_json()
    verification = keras_rectifiers.verify(model, back)
    assert verification.weights_equal
    assert verification.bit_equal
    assert verification.replaced == ()
    assert verification.slots_differing == ()
    assert verification.slots > 0
    x, y = _data(model)
    losses = [each.fit(x, y, verbose=0).history["loss"] for each in (model, back)]
    assert losses[0] == losses[1]


def test_the_way_back_outlives_training_and_keras(tmp_path):
    """Keras drops the plan when it saves; the manifest leads back all the same."""
    source, there, again, back = (tmp_path / f"{n}.keras" for n in "abcd")
    _trained(_spellings).save(source)
    plan = keras_rectifiers.convert_file(source, there, "prelu", trainable=False)
    (tmp_path / "plan.json").write_text(plan.to_json())
    model = keras.saving.load_model(there)
    model.fit(*_data(model), verbose=0)
    model.save(again)

    with pytest.raises(UnsupportedModelError, match="plan of a conversion must be"):
        keras_rectifiers.revert_file(again, back)
    keras_rectifiers.revert_file(again, back, tmp_path / "plan.json")

    found = keras_rectifiers.diff(source, back)
    assert _without_marks(_config(back)) == _without_marks(_config(source))
    assert not found.sites
    assert not found.config
    assert len(found.weights) == len(model.trainable_weights)
    reverted = keras_rectifiers.revert(model, Plan.from_json(plan.to_json()))
    back_again = keras.saving.load_model(back)
    for one, other in zip(reverted.weights, back_again.weights, strict=True):
        assert np.array_equal(one, other)


def test_load_model_keeps_the_way_back(tmp_path):
    """A model opened with this package knows the plan that is in its file."""
    model = _sequential()
    model.save(tmp_path / "a.keras")
    keras_rectifiers.convert_file(tmp_path / "a.keras", tmp_path / "b.keras")

    opened = keras_rectifiers.load_model(tmp_path / "b.keras")

    assert keras_rectifiers.revert(opened).to_json() == model.to_json()


def _with_slopes(folder):
    """A converted file whose slopes were trained, and its plan."""
    source, there, trained = (folder / f"{n}.keras" for n in ("a", "b", "trained"))
    _spellings().save(source)
    plan = keras_rectifiers.convert_file(source, there)
    model = keras.saving.load_model(there)
    model.get_layer("named").weights[0].assign([0.1, 0.2, 0.0, -0.25])
    model.save(trained)
    return source, trained, plan


def test_trained_slopes_are_not_lost(tmp_path):
    """The first layer and its slopes are named, and the next step; it is possible."""
    source, trained, plan = _with_slopes(tmp_path)
    told = (
        "'named', whose 4 slopes started at 0 and are between -0.25 and 0.2 now. "
        "Fold the slopes first .keras-rectifiers fold --tolerance 0.25, "
    )

    with pytest.raises(UnsupportedModelError, match=told):
        keras_rectifiers.revert_file(trained, tmp_path / "no.keras", plan)
    with pytest.raises(UnsupportedModelError, match=told):
        keras_rectifiers.revert(keras.saving.load_model(trained), plan)

    assert not (tmp_path / "no.keras").exists()
    folded, back = tmp_path / "folded.keras", tmp_path / "back.keras"
    keras_rectifiers.fold_file(trained, folded, tolerance=0.25)
    keras_rectifiers.revert_file(folded, back, plan)
    assert keras_rectifiers.diff(source, back).same


def test_slopes_of_a_layer_that_became_two_are_looked_at(tmp_path):
    """Also where the next number belongs to a rectifier that was left alone."""
    inputs = keras.Input((4,))
    shared = layers.ReLU(name="shared")
    hidden = shared(layers.Dense(6, name="wide")(shared(inputs)))
    hidden = layers.ReLU(name="shared_1")(layers.Dense(6, name="more")(hidden))
    model = keras.Model(inputs, layers.Dense(2, name="head")(hidden))
    model.save(tmp_path / "a.keras")
    there, trained = tmp_path / "b.keras", tmp_path / "c.keras"
    keras_rectifiers.convert_file(tmp_path / "a.keras", there, exclude="shared_1")
    converted = keras_rectifiers.load_model(there)
    converted.get_layer("shared_2").weights[0].assign([0.5, 0, 0, 0, 0, 0])
    converted.save(trained)

    (plan,) = kept_plans.read(there)
    with pytest.raises(UnsupportedModelError, match="'shared_2', whose 6 slopes"):
        keras_rectifiers.revert_file(trained, tmp_path / "d.keras", plan)
    with pytest.raises(UnsupportedModelError, match="'shared_2', whose 6 slopes"):
        keras_rectifiers.revert(converted)
    keras_rectifiers.revert_file(there, tmp_path / "d.keras")
    assert keras_rectifiers.diff(tmp_path / "a.keras", tmp_path / "d.keras").same


def test_a_fold_keeps_the_way_back(tmp_path):
    """Of files and of live models: what was converted and folded can be reverted."""
    model = _sequential()
    model.save(tmp_path / "a.keras")
    keras_rectifiers.convert_file(tmp_path / "a.keras", tmp_path / "b.keras")
    keras_rectifiers.fold_file(tmp_path / "b.keras", tmp_path / "c.keras")

    keras_rectifiers.revert_file(tmp_path / "c.keras", tmp_path / "d.keras")

    assert _config(tmp_path / "d.keras") == _config(tmp_path / "a.keras")
    folded = keras_rectifiers.fold(keras_rectifiers.convert(model)).model
    assert keras_rectifiers.revert(folded).to_json() == model.to_json()


def test_an_annealed_slope_is_a_trained_one(tmp_path):
    """A Leaky ReLU whose slope moved is told as one slope."""
    model = _sequential()
    converted = keras_rectifiers.convert(model, "leaky_relu")
    converted.get_layer("b").negative_slope = 0.5

    told = "'b', whose slope started at 0.01 and is 0.5 now"
    with pytest.raises(UnsupportedModelError, match=told):
        keras_rectifiers.revert(converted)


def test_conversions_are_undone_one_by_one(tmp_path):
    """A file tells of each conversion; the last one is undone first."""
    one, two, three, back, first = (tmp_path / f"{n}.keras" for n in "abcde")
    _spellings().save(one)
    keras_rectifiers.convert_file(one, two, "leaky_relu")
    keras_rectifiers.convert_file(two, three, "prelu", of="leaky_relu")

    result = keras_rectifiers.revert_file(three, back)

    assert result.left == 1
    assert "It still has 1 earlier conversion" in str(result)
    assert _config(back) == _config(two)
    assert keras_rectifiers.revert_file(back, first).left == 0
    assert _config(first) == _config(one)
    model = _spellings()
    live = keras_rectifiers.convert(model, "leaky_relu")
    again = keras_rectifiers.convert(live, "prelu", of="leaky_relu")
    assert keras_rectifiers.revert(again).to_json() == live.to_json()
    original = keras_rectifiers.revert(keras_rectifiers.revert(again))
    assert original.to_json() == model.to_json()


def test_what_removes_slopes_has_no_way_back(tmp_path):
    """Its plan says so, and no plan is kept in the file."""
    model = keras_rectifiers.convert(_sequential())
    model.save(tmp_path / "a.keras")
    plan = keras_rectifiers.convert_file(
        tmp_path / "a.keras", tmp_path / "b.keras", "leaky_relu", of="prelu"
    )

    assert plan.back is None
    assert kept_plans.read(tmp_path / "b.keras") == ()
    with pytest.raises(UnsupportedModelError, match="because it removes slopes"):
        keras_rectifiers.revert_file(tmp_path / "b.keras", tmp_path / "c.keras", plan)


def test_a_function_of_python_code_has_no_way_back():
    """Only the original has it; one sentence says so."""
    given = functools.partial(keras.activations.leaky_relu, negative_slope=0.2)
    hidden = layers.Dense(4, activation=given, name="h")
    model = keras.Sequential([keras.Input((3,)), hidden, layers.Dense(1)])
    converted = keras_rectifiers.convert(model, of="leaky_relu")

    with pytest.raises(UnsupportedModelError, match="or a Python function"):
        keras_rectifiers.revert(converted)


def test_any_layer_without_weights_goes_back(tmp_path):
    """A template may be of a class that is no rectifier of ours."""
    source, there, back = (tmp_path / f"{n}.keras" for n in ("a", "b", "c"))
    _spellings().save(source)
    keras_rectifiers.convert_file(source, there, lambda site: layers.ELU())

    keras_rectifiers.revert_file(there, back)

    assert _config(back) == _config(source)
    assert keras_rectifiers.diff(source, back).same


@pytest.mark.parametrize("portable", [False, True])
def test_slopes_of_some_channels_go_back(tmp_path, portable):
    """Slopes that are stored divided, fixed ones, and those of stock Keras."""
    model = _spellings()
    options = {"portable": True, "exclude": "shared"}
    template = "prelu"
    if not portable:
        template = keras_rectifiers.layers.PReLU(learning_rate_multiplier=3.0)
        model.get_layer("fused").bias.assign([-50.0, 0.0, 0.0, -50.0])
        x, _ = _data(model)
        options = {"where": keras_rectifiers.diagnose(model, x)}
    model.save(tmp_path / "a.keras")
    there, back = tmp_path / "b.keras", tmp_path / "c.keras"
    keras_rectifiers.convert_file(tmp_path / "a.keras", there, template, **options)

    keras_rectifiers.revert_file(there, back)

    assert keras_rectifiers.diff(tmp_path / "a.keras", back).same
    converted = keras_rectifiers.convert(model, template, **options)
    assert keras_rectifiers.revert(converted).to_json() == model.to_json()


def test_a_plan_for_another_model_is_refused(tmp_path):
    """Neither a file nor a live model is changed by a plan that did not make it."""
    plan = keras_rectifiers.plan(_spellings())
    converted = keras_rectifiers.convert(_sequential())
    converted.save(tmp_path / "a.keras")

    with pytest.raises(PlanMismatchError, match="'fused', where the plan put PReLU"):
        keras_rectifiers.revert(converted, plan)
    with pytest.raises(PlanMismatchError, match="'fused', where the plan put PReLU"):
        keras_rectifiers.revert_file(tmp_path / "a.keras", tmp_path / "b.keras", plan)
    with pytest.raises(UnsupportedModelError, match="plan of a conversion must be"):
        keras_rectifiers.revert(_sequential())


def test_a_damaged_way_back_is_one_sentence(tmp_path):
    """A plan may come from a file, and say anything."""
    made = keras_rectifiers.convert(_sequential())
    plan = keras_rectifiers.plan(_sequential())
    doubled = {"layers": {}, "order": ["b", "b"]}
    for back in (
        {"keys": 3},
        {"items": {"x": {}}},
        {"keys": {"config": {"keys": {"layers": {"layers": {}, "order": ["no"]}}}}},
        {"keys": {"config": {"keys": {"layers": doubled}}}},
    ):
        odd = dataclasses.replace(plan, back=back)
        with pytest.raises(PlanMismatchError, match="The plan must belong"):
            keras_rectifiers.revert(made, odd)
    made.save(tmp_path / "a.keras")
    data = json.loads(plan.to_json())
    data["steps"][0]["replacements"][0]["weights"][0]["value"] = "much"
    (tmp_path / "plan.json").write_text(json.dumps(data))
    with pytest.raises(PlanMismatchError, match="float: 'much'"):
        keras_rectifiers.revert_file(
            tmp_path / "a.keras", tmp_path / "b.keras", tmp_path / "plan.json"
        )
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(PlanMismatchError, match="JSON written by"):
        kept_plans.of_manifest(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(PlanMismatchError, match="which is not a text file"):
        kept_plans.of_manifest(tmp_path / "plan.json")


def test_a_damaged_member_is_as_none(tmp_path):
    """What is beside the model in a file never keeps it from being converted."""
    _sequential().save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras", "a") as file:
        file.writestr(kept_plans.MEMBER, "{[")

    assert kept_plans.read(tmp_path / "a.keras") == ()
    keras_rectifiers.convert_file(tmp_path / "a.keras", tmp_path / "b.keras")
    assert len(kept_plans.read(tmp_path / "b.keras")) == 1


def test_keras_opens_what_holds_a_plan(tmp_path):
    """The member is small, and Keras takes no notice of it."""
    _spellings().save(tmp_path / "a.keras")
    keras_rectifiers.convert_file(tmp_path / "a.keras", tmp_path / "b.keras")

    with zipfile.ZipFile(tmp_path / "b.keras") as file:
        info = file.getinfo(kept_plans.MEMBER)
    assert info.compress_size < 2000
    assert keras.saving.load_model(tmp_path / "b.keras").count_params() > 0


def test_an_h5_keeps_its_plan_in_an_attribute(tmp_path):
    """A whole-model `.h5` is what it was, as far as it says."""
    _trained(_sequential).save(tmp_path / "a.h5")
    keras_rectifiers.convert_file(tmp_path / "a.h5", tmp_path / "b.h5")
    assert keras.saving.load_model(tmp_path / "b.h5", compile=False).count_params() > 0

    keras_rectifiers.revert_file(tmp_path / "b.h5", tmp_path / "c.h5")

    assert keras_rectifiers.diff(tmp_path / "a.h5", tmp_path / "c.h5").same
    assert kept_plans.read(tmp_path / "b.h5")[0].steps
    assert kept_plans.read(tmp_path / "c.h5") == ()


def test_an_architecture_needs_its_plan(tmp_path):
    """A JSON holds neither plan nor slopes; the plan alone leads back."""
    (tmp_path / "a.json").write_text(_spellings().to_json())
    plan = keras_rectifiers.convert_file(tmp_path / "a.json", tmp_path / "b.json")

    with pytest.raises(UnsupportedModelError, match="plan of a conversion must be"):
        keras_rectifiers.revert_file(tmp_path / "b.json", tmp_path / "c.json")
    keras_rectifiers.revert_file(tmp_path / "b.json", tmp_path / "c.json", plan)

    one, other = (json.loads((tmp_path / f"{n}.json").read_text()) for n in "ac")
    assert one.pop("compile_config") == {}  # an architecture has none
    assert one == other


def _built(fused="relu"):
    model = Net(name="net", fused=fused)
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    model.fit(x, np.zeros((8, 2)), verbose=0)
    return model, x


def test_layers_that_python_makes_are_put_back(tmp_path):
    """The last round is dropped, in memory and after a way through a file."""
    model, x = _built()
    converted = keras_rectifiers.convert(model, exclude="kept", roles=EVERY)
    converted.save(tmp_path / "a.keras")

    for made in (converted, keras.saving.load_model(tmp_path / "a.keras")):
        back = keras_rectifiers.revert(made)
        assert type(back) is Net
        assert type(back.act) is layers.ReLU
        verification = keras_rectifiers.verify(model, back, x)
        assert verification.bit_equal
        assert verification.variables_kept
        assert verification.slots_differing == ()


EVERY = ("hidden", "output", "custom")


def test_python_made_layers_are_undone_round_by_round():
    """Two conversions are two rounds; a fold belongs to the one before."""
    model, x = _built(fused=None)
    leaky = keras_rectifiers.convert(model, "leaky_relu", roles=EVERY)
    both = keras_rectifiers.convert(leaky, "prelu", of="leaky_relu", roles=EVERY)
    both.act.weights[0].assign([0.1, 0.0, 0.0, 0.0])

    with pytest.raises(UnsupportedModelError, match=r"whose 4 slopes started at 0\.01"):
        keras_rectifiers.revert(both)

    once = keras_rectifiers.convert(model, "prelu", roles=EVERY)
    once.act.weights[0].assign([0.1, 0.0, 0.0, 0.0])
    folded = keras_rectifiers.fold(once, tolerance=0.2).model
    back = keras_rectifiers.revert(folded)
    assert type(back) is Net
    assert keras_rectifiers.verify(model, back, x).bit_equal
    again = keras_rectifiers.convert(leaky, "prelu", of="leaky_relu", roles=EVERY)
    before = keras_rectifiers.revert(again)
    assert type(before.act) is type(leaky.act)
    assert type(keras_rectifiers.revert(before)) is Net


def test_a_graph_with_python_made_layers_is_put_back(tmp_path):
    """What a config lists and what it does not go back together."""
    inputs = keras.Input((3,))
    hidden = Net(name="net")(layers.Dense(3, "relu", name="first")(inputs))
    model = keras.Model(inputs, layers.Dense(1, name="head")(hidden), name="graph")
    converted = keras_rectifiers.convert(model, roles=EVERY)

    back = keras_rectifiers.revert(converted)

    assert back.to_json() == model.to_json()
    assert keras_rectifiers.verify(model, back).bit_equal
    converted.save(tmp_path / "a.keras")
    opened = keras.saving.load_model(tmp_path / "a.keras")
    with pytest.raises(UnsupportedModelError, match="plan of a conversion must be"):
        keras_rectifiers.revert(opened)
    plan = keras_rectifiers.plan(model, roles=EVERY)
    assert keras_rectifiers.revert(opened, plan).to_json() == model.to_json()
    opened.get_layer("net").act.weights[0].assign([0.1, 0.0, 0.0, 0.0])
    with pytest.raises(UnsupportedModelError, match="4 slopes started at 0 and are"):
        keras_rectifiers.revert(opened, plan)
    folded = keras_rectifiers.fold(opened, tolerance=0.2, exclude="net/dense*")
    assert folded.sites[1].blocked == "Python code calls it"


def test_a_file_of_python_made_layers_is_refused(tmp_path):
    """One sentence says how to do it live."""
    model, _ = _built()
    keras_rectifiers.convert(model, roles=EVERY).save(tmp_path / "a.keras")

    with pytest.raises(
        UnsupportedModelError, match=r"creates the layers of 'Net'.*--import"
    ):
        keras_rectifiers.revert_file(tmp_path / "a.keras", tmp_path / "b.keras")
    assert not (tmp_path / "b.keras").exists()


def test_a_difference_is_carried_out_exactly():
    """The law of a difference, on values of every kind."""
    layer = {"class_name": "A", "config": {"name": "a", "x": [1, 2]}}
    other = {"class_name": "B", "config": {"name": "a"}, "build_config": {}}
    values = [
        {"layers": [layer, {"class_name": "C", "config": {"name": "c"}}]},
        {"layers": [{"class_name": "C", "config": {"name": "c", "y": 1}}, other]},
        {"layers": [other], "more": None},
        {"ends": ([1, "a"], [2, "b"]), "layers": []},
        {"ends": ([1, "b"], [2, "b"]), "layers": []},
    ]
    for one in values:
        for two in values:
            before = json.dumps(one)
            new = patched(one, json.loads(json.dumps(difference(one, two))))
            assert json.dumps(new, sort_keys=True) == json.dumps(two, sort_keys=True)
            assert json.dumps(one) == before
    assert difference(layer, json.loads(json.dumps(layer))) == {}
