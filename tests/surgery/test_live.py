"""Conversion of live models: nothing is lost, nothing is shared."""

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

import keras_rectifiers
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.errors import VerificationError
from keras_rectifiers.surgery.live import LiveModel
from tests.backends import slow_on_jax
from tests.backends import some_by_default
from tests.surgery.small import OPTIMIZERS
from tests.surgery.small import batches
from tests.surgery.small import small_model
from tests.surgery.small import train

#: Those that are trained on by default: each compiles its own step.
_FAST = ("adam", "adamw_ema", "loss_scaled", "muon")


@pytest.mark.parametrize("name", some_by_default(sorted(OPTIMIZERS), _FAST))
def test_training_goes_on_bit_for_bit_after_a_conversion(name):
    """With slope 0 the converted models' next losses are the original's."""
    _train_on(small_model(OPTIMIZERS[name](), run_eagerly=True))


@pytest.mark.traced
def test_compiled_training_goes_on_bit_for_bit_after_a_conversion():
    """So they are where the steps are compiled, as they are by default."""
    _train_on(small_model(OPTIMIZERS["adam"]()))


def _train_on(model):
    train(model, batches())
    leaky = keras_rectifiers.convert(model, "leaky_relu", negative_slope=0.0)
    # A frozen PReLU must not exist when the optimizer is built: freeze by
    # a constraint instead, which holds alpha at zero.
    prelu = keras_rectifiers.convert(model, _held_prelu)

    expected = train(model, batches())

    assert train(leaky, batches()) == expected
    assert train(prelu, batches()) == expected


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("by", ["name", "variable"])
def test_exclusions_from_weight_decay_are_carried(by, scaled):
    """What does not decay does not decay in the converted model; no config says so."""
    model = small_model()
    decaying = keras.optimizers.AdamW(1e-2, weight_decay=0.5)
    if by == "name":
        decaying.exclude_from_weight_decay(var_names=["bias", "gamma"])
    else:
        decaying.exclude_from_weight_decay(var_list=[model.get_layer("conv").kernel])
    wrap = keras.optimizers.LossScaleOptimizer
    model.compile(wrap(decaying) if scaled else decaying, "mse", run_eagerly=True)
    data = [(x, y[:, None]) for x, y in batches(1)]
    train(model, data)
    converted = keras_rectifiers.convert(model, "leaky_relu", negative_slope=0.0)

    train(model, data)
    train(converted, data)

    assert keras_rectifiers.verify(model, converted).holds


def test_what_was_set_after_compile_is_carried():
    """Flags of the model and attributes of the optimizer, which no config has."""
    model = small_model(OPTIMIZERS["adam"]())
    train(model, batches(1))
    model.run_eagerly = True
    model.steps_per_execution = 3
    model.stop_training = True
    model.optimizer.remark = "mine"
    model.optimizer.learning_rate = 0.125
    model.get_layer("dense").supports_masking = False
    model.get_layer("rectify").autocast = False
    model.get_layer("logits").autocast = False

    converted = keras_rectifiers.convert(model)

    assert converted.run_eagerly is True
    assert converted.steps_per_execution == 3
    assert converted.stop_training is True
    assert converted.optimizer.remark == "mine"
    assert float(converted.optimizer.learning_rate) == 0.125
    assert converted.get_layer("dense").supports_masking is False
    assert converted.get_layer("rectify").autocast is False
    assert converted.get_layer("logits").autocast is False


@keras.saving.register_keras_serializable("tests")
class Hidden(keras.optimizers.SGD):
    """Keeps a slot where nobody looks for it."""

    def build(self, variables):
        super().build(variables)
        self.kept = {"slot": self.add_variable((), name="out_of_sight")}


def test_an_optimizer_with_state_of_its_own_is_refused_by_name():
    """A variable that nothing was written to would start anew."""
    model = small_model(Hidden(1e-2))
    model.optimizer.build(model.trainable_variables)

    with pytest.raises(UnsupportedModelError, match="out_of_sight"):
        keras_rectifiers.convert(model)


def test_the_policy_of_a_model_is_carried():
    """A model has the policy under which it was made, and casts its inputs to it."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small_model()
    finally:
        keras.config.set_dtype_policy("float32")

    converted = keras_rectifiers.convert(model)

    assert converted.dtype_policy.name == "mixed_float16"
    assert keras_rectifiers.verify(model, converted).holds


def test_a_rectifier_without_autocast_takes_inputs_as_they_are():
    """Its dtype policy is not applied to them, then as before."""
    rectify = layers.ReLU(dtype="mixed_float16", autocast=False, name="rectify")
    chain = [keras.Input((4,)), layers.Dense(3), rectify, layers.Dense(2)]
    model = keras.Sequential(chain)

    converted = keras_rectifiers.convert(model)

    assert keras_rectifiers.verify(model, converted).holds


@pytest.mark.parametrize(
    "mode",
    [
        slow_on_jax("int8"),
        slow_on_jax("int4"),
        "float8",
        "lora",
        slow_on_jax("lora_int8"),
    ],
)
def test_quantized_models_and_lora_are_carried(mode):
    """Scales, histories of maxima and low ranks find their places again."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, activation="relu", name="first"),
            layers.Dense(8, activation="relu", name="second"),
            layers.Dense(2, name="end"),
        ]
    )
    if mode.startswith("lora"):
        model.get_layer("second").enable_lora(2)
    if mode != "lora":
        model.quantize(mode.removeprefix("lora_"))
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if keras.backend.is_float_dtype(variable.dtype):
            variable.assign(rng.uniform(0.1, 1.0, variable.shape))
    model.run_eagerly = True

    converted = keras_rectifiers.convert(model)

    verification = keras_rectifiers.verify(model, converted)
    assert verification.holds
    assert verification.added == 2


@keras.saving.register_keras_serializable("tests")
class AtZero(keras.constraints.Constraint):
    """Hold a weight at zero."""

    def __call__(self, w):
        return w * 0


def _held_prelu(site):
    return keras_rectifiers.layers.PReLU(alpha_constraint=AtZero())


def test_a_trainable_slope_leaves_the_first_loss_as_it_was():
    """The first loss after a conversion is the original's; alpha has slots."""
    model = small_model(OPTIMIZERS["adam"]())
    train(model, batches())
    converted = keras_rectifiers.convert(model)
    before = len(model.optimizer.variables)

    expected = train(model, batches(2))
    actual = train(converted, batches(2))

    assert actual[0] == expected[0]
    assert len(converted.optimizer.variables) == before + 2 * 3
    slopes = [w for w in converted.trainable_weights if w.name == "alpha"]
    assert all(np.any(keras.ops.convert_to_numpy(slope) != 0) for slope in slopes)


def test_the_original_is_left_as_it_was():
    """Converting and training the copy changes nothing in the original."""
    model = small_model(OPTIMIZERS["adam"]())
    train(model, batches())
    weights = [w.tobytes() for w in model.get_weights()]
    slots = [np.asarray(v).tobytes() for v in model.optimizer.variables]
    config = model.to_json()

    train(keras_rectifiers.convert(model), batches())

    assert [w.tobytes() for w in model.get_weights()] == weights
    assert [np.asarray(v).tobytes() for v in model.optimizer.variables] == slots
    assert model.to_json() == config


def test_names_flags_and_policies_are_carried():
    """Names, trainable flags, dtype policies and compile settings stay."""
    model = small_model(OPTIMIZERS["adam"]())
    model.get_layer("conv").trainable = False
    model.get_layer("norm").dtype_policy = "float32"

    converted = keras_rectifiers.convert(model)

    assert converted.name == "small"
    assert [each.name for each in converted.layers] == [
        each.name for each in model.layers
    ]
    assert not converted.get_layer("conv").trainable
    assert converted.get_layer("dense").trainable
    assert converted.inputs[0].name == model.inputs[0].name
    assert isinstance(converted.optimizer, keras.optimizers.Adam)
    assert converted.metrics_names == model.metrics_names


def test_a_frozen_model_stays_frozen():
    """model.trainable = False comes back as it was."""
    model = small_model()
    model.trainable = False

    converted = keras_rectifiers.convert(model)

    assert converted.trainable is False
    assert converted.trainable_variables == []


def test_mixed_precision_is_carried():
    """Inserted rectifiers have the policy of their place, not the global one."""
    inputs = keras.Input((5,))
    policy = "mixed_float16"
    x = layers.Dense(4, activation="relu", dtype=policy, name="fused")(inputs)
    x = layers.ReLU(dtype=policy, name="bare")(layers.Dense(4, dtype=policy)(x))
    model = keras.Model(inputs, layers.Dense(2, dtype="float32")(ops.relu(x)))
    x = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")

    converted = keras_rectifiers.convert(model)

    bare = converted.get_layer("bare")
    assert (bare.compute_dtype, bare.variable_dtype) == ("float16", "float32")
    assert converted.get_layer("fused").activation.dtype_policy.name == policy
    assert converted.predict(x, verbose=0).tobytes() == (
        model.predict(x, verbose=0).tobytes()
    )


def test_python_functions_in_lambda_layers_are_taken_over():
    """A Lambda with a Python lambda computes with the very same function."""
    inputs = keras.Input((4,))
    doubled = layers.Lambda(lambda t: t * 2 + 1, name="twice")
    x = doubled(layers.Dense(4, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    nodes = len(doubled._inbound_nodes)

    converted = keras_rectifiers.convert(model)

    assert converted.get_layer("twice").function is doubled.function
    assert converted.get_layer("twice") is not doubled
    assert len(doubled._inbound_nodes) == nodes
    assert keras_rectifiers.verify(model, converted).bit_equal


class Unregistered(layers.Layer):
    """A custom layer that nobody registered, with a config of its own."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units))

    def call(self, inputs):
        return ops.matmul(inputs, self.kernel)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def test_classes_that_nobody_registered_are_carried():
    """A live model brings its own classes along."""
    inputs = keras.Input((4,))
    x = layers.ReLU()(Unregistered(3, name="own")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))

    converted = keras_rectifiers.convert(model)

    assert type(converted.get_layer("own")) is Unregistered
    verification = keras_rectifiers.verify(model, converted)
    assert verification.bit_equal
    assert verification.weights_equal


class NoConfig(layers.Layer):
    """A layer whose arguments cannot be guessed."""

    def __init__(self, table, **kwargs):
        super().__init__(**kwargs)
        self.table = table

    def call(self, inputs):
        return inputs * self.table.shape[0]


def test_a_layer_without_a_config_is_refused_by_name():
    """What would be lost is named, and nothing is made."""
    inputs = keras.Input((4,))
    x = NoConfig(np.ones((3, 3), "float32"), name="mystery")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.ReLU()(x)))

    with pytest.raises(UnsupportedModelError, match=r"mystery|NoConfig"):
        keras_rectifiers.convert(model)


class Subclassed(keras.Model):
    """A model whose layers are made in Python code."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2, activation="relu")

    def call(self, inputs):
        return self.dense(inputs)


def test_a_subclassed_model_that_was_never_called_is_no_graph():
    """What its layers take is not known, so they have no document."""
    with pytest.raises(UnsupportedModelError, match="Python code"):
        _ = LiveModel(Subclassed()).survey


def test_a_model_that_was_never_called_is_refused_with_what_to_do():
    """The shapes inside it are not known yet."""
    with pytest.raises(UnsupportedModelError, match=r"built.*Call it once"):
        keras_rectifiers.convert(Subclassed())


def test_something_that_is_no_model_is_a_type_error():
    """The message says what a model is."""
    with pytest.raises(TypeError, match=r"keras\.Model or a path"):
        keras_rectifiers.plan(42)


def test_nested_structures_of_outputs_are_kept():
    """Tuples and dicts of outputs come back as they were."""
    inputs = {"a": keras.Input((3,), name="a"), "b": keras.Input((3,), name="b")}
    x = layers.Dense(4, activation="relu")(layers.Add()(list(inputs.values())))
    outputs = {"y": layers.Dense(2)(x), "z": (layers.Dense(1)(x), [ops.relu(x) * 2])}
    model = keras.Model(inputs, outputs)
    data = {key: np.ones((2, 3), "float32") for key in inputs}

    converted = keras_rectifiers.convert(model)

    expected = model.predict(data, verbose=0)
    actual = converted.predict(data, verbose=0)
    keras.tree.assert_same_structure(expected, actual)
    assert keras_rectifiers.verify(model, converted, data).bit_equal


def test_leaky_becomes_prelu_with_its_slope():
    """of='leaky_relu' keeps each slope as the first alpha."""
    inputs = keras.Input((4,))
    x = layers.LeakyReLU(negative_slope=0.2, name="leaky")(layers.Dense(3)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))

    converted = keras_rectifiers.convert(model, "prelu", of="leaky_relu")

    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(converted.get_layer("leaky").alpha),
        np.full(3, 0.2, "float32"),
    )
    x = np.random.default_rng(0).normal(size=(9, 4)).astype("float32")
    np.testing.assert_allclose(
        converted.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6
    )


def test_prelu_becomes_leaky_at_its_mean_slope_and_says_how_far_that_is():
    """The note names the largest distance from the mean."""
    inputs = keras.Input((4,))
    x = keras_rectifiers.layers.PReLU(name="learned")(layers.Dense(2)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    model.get_layer("learned").alpha.assign([0.1, 0.3])

    plan = keras_rectifiers.plan(model, "leaky_relu", of="prelu")

    assert plan.steps[0].replacement.config["negative_slope"] == pytest.approx(0.2)
    assert "which differ from it by up to 0.1" in plan.steps[0].note


def test_a_rectifier_called_at_two_widths_becomes_two_prelus():
    """Slopes belong to channels: each width gets its own layer."""
    shared = layers.ReLU(name="shared")
    inputs = keras.Input((4,))
    x = shared(layers.Dense(3)(inputs))
    x = shared(layers.Dense(5)(x))
    x = shared(layers.Dense(3)(x))
    model = keras.Model(inputs, layers.Dense(2)(x))

    converted = keras_rectifiers.convert(model)

    assert converted.get_layer("shared").alpha.shape == (3,)
    assert converted.get_layer("shared_1").alpha.shape == (5,)
    assert keras_rectifiers.verify(model, converted).bit_equal


def test_a_rectifier_shared_with_a_nested_model_is_converted_in_both():
    """Keras cannot revive such a model from its own file; the conversion can."""
    shared = layers.ReLU(name="shared")
    inner_in = keras.Input((3,))
    inner = keras.Model(inner_in, shared(layers.Dense(3)(inner_in)), name="inner")
    inputs = keras.Input((3,))
    x = layers.Dense(4)(inner(shared(layers.Dense(3)(inputs))))
    model = keras.Model(inputs, x)

    for to, options in (("prelu", {}), ("leaky_relu", {"negative_slope": 0.0})):
        converted = keras_rectifiers.convert(model, to, **options)
        assert keras_rectifiers.verify(model, converted).bit_equal


def test_a_template_layer_goes_into_every_site():
    """to= takes any Keras layer, and copies it for each site."""
    model = small_model()

    converted = keras_rectifiers.convert(model, layers.ELU(alpha=0.5))

    assert isinstance(converted.get_layer("rectify"), layers.ELU)
    assert isinstance(converted.get_layer("conv").activation, layers.ELU)
    assert converted.get_layer("rectify") is not converted.get_layer("conv").activation


def test_a_callable_chooses_for_each_site():
    """A callable may return a layer, a name, or None to leave a site alone."""
    model = small_model()
    choices = {"conv": "leaky_relu", "rectify": None, "dense": layers.ELU()}

    plan = keras_rectifiers.plan(model, lambda site: choices[site.path])

    assert {step.site.path for step in plan.steps} == {"conv", "dense"}
    assert [skip.reason for skip in plan.skips] == ["callable"]


def test_portable_models_open_without_this_package():
    """portable=True writes stock Keras layers only, and keeps every bit."""
    model = small_model()
    for to, options in (("prelu", {}), ("leaky_relu", {"negative_slope": 0.0})):
        converted = keras_rectifiers.convert(model, to, portable=True, **options)

        assert "keras_rectifiers" not in converted.to_json()
        assert keras_rectifiers.verify(model, converted).bit_equal


def test_wrappers_and_recurrent_layers():
    """Wrapped rectifiers are converted; recurrent ones only on request."""
    inputs = keras.Input((5, 6))
    x = layers.TimeDistributed(layers.Dense(4, activation="relu"), name="td")(inputs)
    x = layers.TimeDistributed(layers.ReLU(), name="tr")(x)
    x = layers.Bidirectional(layers.LSTM(3, activation="relu"), name="bi")(x)
    model = keras.Model(inputs, layers.Dense(2)(x))

    plan = keras_rectifiers.plan(model)
    every = keras_rectifiers.plan(model, roles=("hidden", "recurrent"))

    assert [step.site.path.split("/")[0] for step in plan.steps] == ["td", "tr"]
    assert {skip.reason for skip in plan.skips} == {"recurrent"}
    assert keras_rectifiers.verify(model, plan.apply(model)).bit_equal
    converted = every.apply(model)
    assert sum(w.name == "alpha" for w in converted.trainable_weights) == 4
    x = np.random.default_rng(0).normal(size=(4, 5, 6)).astype("float32")
    np.testing.assert_allclose(
        converted.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6
    )


def test_a_quantized_host_gets_a_plain_rectifier():
    """An int8 host's own policy would not suit an activation."""
    inputs = keras.Input((4,))
    x = layers.Dense(8, activation="relu", name="host")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(x))
    model.quantize("int8")

    converted = keras_rectifiers.convert(model)

    assert converted.get_layer("host").activation.dtype_policy.name == "float32"
    assert keras_rectifiers.verify(model, converted).bit_equal


def test_verify_tells_a_changed_weight_by_name():
    """One changed number is found and named."""
    model = small_model()
    converted = keras_rectifiers.convert(model)
    bias = converted.get_layer("logits").bias
    bias.assign(keras.ops.convert_to_numpy(bias) + 1e-3)

    verification = keras_rectifiers.verify(model, converted)

    assert not verification.weights_equal
    assert not verification.bit_equal
    assert verification.max_difference == pytest.approx(1e-3, rel=0.01)
    assert any("logits" in path for path in verification.differing)
    with pytest.raises(VerificationError, match="logits"):
        verification.require()


def test_verify_refuses_two_different_models():
    """Models that differ in more than rectifiers are not compared."""
    other = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten()])

    with pytest.raises(VerificationError, match="same except for"):
        keras_rectifiers.verify(small_model(), other)


def test_training_the_copy_leaves_the_original_usable():
    """On JAX a shared array would be deleted by the other model's fit."""
    model = small_model(OPTIMIZERS["adam"]())
    x, y = batches(1)[0]
    model.fit(x, y, verbose=0)
    before = model.predict(x, verbose=0)

    converted = keras_rectifiers.convert(model)
    converted.fit(x, y, verbose=0)

    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
    model.fit(x, y, verbose=0)


class Swallows(layers.Layer):
    """Takes any keyword and hands none on: its name is another at each rebuild."""

    def __init__(self, **kwargs):
        super().__init__()
        self.inner = layers.Dense(4)

    def build(self, shape):
        self.inner.build(shape)

    def call(self, inputs):
        return self.inner(inputs)


class TakesNothing(layers.Layer):
    """Has a constructor without keywords."""

    def __init__(self):
        super().__init__()

    def call(self, inputs):
        return 2 * inputs


class OtherKeywords(layers.Layer):
    """Collects its keywords under another name, by which Keras leaves out `name`."""

    def __init__(self, factor=2, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, inputs):
        return self.factor * inputs


class OwnConfig(layers.Layer):
    """Leaves the base class out of its config."""

    def __init__(self, factor=2, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return self.factor * inputs

    def get_config(self):
        return {"factor": self.factor}


for _each in (Swallows, OtherKeywords, OwnConfig):
    keras.saving.register_keras_serializable("tests_names")(_each)


def _nameless(*, functional):
    made = [
        Swallows(),
        layers.Dense(4, activation="relu"),
        Swallows(),
        OtherKeywords(3),
        OwnConfig(4),
        layers.ReLU(),
        OwnConfig(5),
        layers.Dense(1),
    ]
    if not functional:
        return keras.Sequential([keras.Input((4,)), *made])
    tensor = inputs = keras.Input((4,))
    for each in made:
        tensor = each(tensor)
    return keras.Model(inputs, tensor)


@pytest.mark.parametrize("functional", [True, False])
def test_layers_whose_config_lacks_their_name_keep_it(functional):
    """Live, the twin has the name, the class and the weights of the original."""
    model = _nameless(functional=functional)

    converted = keras_rectifiers.convert(model)

    assert [each.name for each in converted.layers] == [e.name for e in model.layers]
    found = keras_rectifiers.verify(model, converted)
    assert (found.bit_equal, found.weights_equal) == (True, True)


@pytest.mark.parametrize("functional", [True, False])
def test_a_file_of_layers_without_names_is_converted(functional, tmp_path):
    """Keras names them anew at each load: they are matched in their order."""
    model = _nameless(functional=functional)
    model.save(tmp_path / "a.keras")

    plan = keras_rectifiers.convert_file(tmp_path / "a.keras", tmp_path / "b.keras")

    assert len(plan.steps) == 2
    assert plan.repairs == ()
    assert len({each.path for each in plan.unseen}) == 5
    found = keras_rectifiers.verify(tmp_path / "a.keras", tmp_path / "b.keras")
    assert (found.bit_equal, found.weights_equal, found.weights) == (True, True, 8)
    found = keras_rectifiers.verify(model, tmp_path / "b.keras")
    assert (found.bit_equal, found.weights_equal) == (True, True)


def test_a_constructor_without_keywords_is_called_without_any():
    """Keras notes the arguments that a layer was made with; the name is set."""
    model = keras.Sequential(
        [keras.Input((4,)), TakesNothing(), layers.ReLU(), layers.Dense(1)]
    )

    converted = keras_rectifiers.convert(model)

    assert [each.name for each in converted.layers] == [e.name for e in model.layers]
    assert keras_rectifiers.verify(model, converted).bit_equal


def test_what_keeps_lengths_from_being_negative_is_left():
    """Whole numbers are counts or places, as lengths of sound are; none may leak."""
    inputs = keras.Input((5,), dtype="int32")
    lengths = ops.maximum(inputs - 3, 0)
    hidden = layers.Dense(4, activation="relu")(ops.cast(lengths, "float32"))
    model = keras.Model(inputs, layers.Dense(2)(hidden))

    plan = keras_rectifiers.plan(model, "leaky_relu")

    assert len(plan.steps) == 1
    assert [skip.reason for skip in plan.skips] == ["guard"]
    assert "whole numbers (int32)" in plan.skips[0].detail
