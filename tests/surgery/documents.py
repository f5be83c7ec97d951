"""Small documents, written as Keras writes them, and golden checks on them."""

import copy

from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.surgery import rewrite as rewriting
from keras_rectifiers.surgery.plan import make_plan
from keras_rectifiers.surgery.replacements import Target
from keras_rectifiers.surgery.saved_source import SavedSource
from keras_rectifiers.surgery.selection import Selection

NUMPY_OPS = "keras.src.ops.numpy"
NN_OPS = "keras.src.ops.nn"
ACTIVATIONS = "keras.src.activations.activations"


def tensor(name, node=0, index=0, shape=(None, 4), dtype="float32"):
    """A tensor as an argument of a call."""
    return {
        "class_name": "__keras_tensor__",
        "config": {
            "shape": list(shape),
            "dtype": dtype,
            "keras_history": [name, node, index],
        },
    }


def call(*args, **kwargs):
    """One call of a layer; names stand for the tensors of first calls."""
    return {
        "args": [tensor(each) if isinstance(each, str) else each for each in args],
        "kwargs": kwargs,
    }


def policy(name="float32"):
    """A serialized dtype policy."""
    return {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": name},
        "registered_name": None,
    }


def layer(class_name, name, *calls, build=None, **config):
    """A layer of Keras; `module`, `registered_name` and `dtype` by keyword."""
    entry = {
        "module": config.pop("module", "keras.layers"),
        "class_name": class_name,
        "config": {
            "name": name,
            "trainable": config.pop("trainable", True),
            "dtype": policy(config.pop("dtype", "float32")),
            **config,
        },
        "registered_name": config.pop("registered_name", None),
        "name": name,
        "inbound_nodes": list(calls),
    }
    entry["config"].pop("registered_name", None)
    if build is not None:
        entry["build_config"] = {"input_shape": list(build)}
    return entry


def operation(class_name, name, *calls, module=NUMPY_OPS, **config):
    """An operation of a functional graph."""
    return {
        "module": module,
        "class_name": class_name,
        "config": {"name": name, **config},
        "registered_name": class_name,
        "name": name,
        "inbound_nodes": list(calls),
    }


def start(name="x", shape=(None, 4)):
    """An input."""
    return {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {
            "batch_shape": list(shape),
            "dtype": "float32",
            "sparse": False,
            "ragged": False,
            "name": name,
            "optional": False,
        },
        "registered_name": None,
        "name": name,
        "inbound_nodes": [],
    }


def functional(*entries, inputs=("x",), outputs=None, name="model", calls=()):
    """A Functional model; its output is the last entry's, unless given."""
    if outputs is None:
        outputs = [entries[-1]["name"], 0, 0]
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {
            "name": name,
            "trainable": True,
            "layers": list(entries),
            "input_layers": [[each, 0, 0] for each in inputs],
            "output_layers": outputs,
        },
        "registered_name": "Functional",
        "build_config": {"input_shape": None},
        "name": name,
        "inbound_nodes": list(calls),
    }


def sequential(*entries, name="chain", calls=()):
    """A Sequential model."""
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {
            "name": name,
            "trainable": True,
            "dtype": policy(),
            "layers": [
                {k: v for k, v in each.items() if k not in ("name", "inbound_nodes")}
                for each in entries
            ],
        },
        "registered_name": None,
        "name": name,
        "inbound_nodes": list(calls),
    }


def dense(name, *calls, units=4, activation="linear", **more):
    """A Dense layer, which ends most test models."""
    return layer("Dense", name, *calls, units=units, activation=activation, **more)


def leaky(name, *calls, slope=0.01, max_value=None, dtype="float32", trainable=True):
    """Our Leaky ReLU, as it must stand in a rewritten document."""
    return layer(
        "LeakyReLU",
        name,
        *calls,
        module="keras_rectifiers.layers",
        registered_name="keras_rectifiers>LeakyReLU",
        dtype=dtype,
        trainable=trainable,
        negative_slope=slope,
        max_value=max_value,
    )


def prelu(name, *calls, build, max_value=None, dtype="float32", start=0.0, axis=-1):
    """Our PReLU, as it must stand in a rewritten document."""
    return layer(
        "PReLU",
        name,
        *calls,
        module="keras_rectifiers.layers",
        registered_name="keras_rectifiers>PReLU",
        dtype=dtype,
        alpha_initializer={
            "module": "keras.initializers",
            "class_name": "Constant" if start else "Zeros",
            "config": {"value": start} if start else {},
            "registered_name": None,
        },
        alpha_regularizer=None,
        alpha_constraint=None,
        shared_axes="spatial",
        max_value=max_value,
        trained_channels=None,
        learning_rate_multiplier=1.0,
        data_format="channels_first" if axis == 1 else "channels_last",
        build=build,
    )


def slot(entry):
    """A rectifier in a host's `activation`: without name and calls of its own."""
    return {k: v for k, v in entry.items() if k not in ("name", "inbound_nodes")}


class _Source(SavedSource):
    """A document without a file."""

    def __init__(self, document):
        super().__init__(Survey(document), None)


def plan_for(document, to="leaky_relu", *, read_alpha=None, selection=None, **options):
    """A plan for a document, with the defaults of `keras_rectifiers.plan`."""
    source = _Source(document)
    source.read_alpha = read_alpha
    return make_plan(source, Target(to, **options), selection or Selection())


def rewrite(document, plan):
    """What a plan makes of a document."""
    return rewriting.rewrite(Survey(document), plan)


def assert_rewrite(before, after, to="leaky_relu", *, skipped=None, **options):
    """Rewriting `before` gives `after`, skips `skipped`, and changes nothing else.

    Args:
        before: A document.
        after: The document that must come out.
        to: The target.
        skipped: Path -> reason of every site that is left.
        **options: As for `plan_for`.
    """
    untouched = copy.deepcopy(before)
    plan = plan_for(before, to, **options)
    rewritten = rewrite(before, plan)

    assert before == untouched
    assert {skip.site.path: skip.reason for skip in plan.skips} == (skipped or {})
    assert rewritten.document == after
    return rewritten
