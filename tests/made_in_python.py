"""Random models whose layers Python code makes: a recipe becomes source, and runs.

The source looks as people write such classes: layers in attributes, lists, dicts and
tuples, `activation=` arguments, blocks inside blocks, models inside models, residual
sums, and rectifiers that a `call` computes itself.
"""

import dataclasses
import itertools
import linecache
import textwrap
from typing import Any

import keras
import numpy as np
from hypothesis import strategies as st

#: How the layers of one part are held.
_HOLDINGS = (
    "attributes",
    "list",
    "tuple",
    "namedtuple",
    "dict",
    "pairs",
    "lists_in_dict",
    "appended",
    "setattr",
    "set",
    "twice",
)
#: What one part makes, what its `call` says, and how many rectifiers that is. `{w}`
#: is its width, `{v}` that of what it takes, `{0}` its first layer.
_STEPS = {
    "linear": (["LINEAR({w})"], "x = {0}(x)", 0),
    "fused": (["LINEAR({w}, activation='relu')"], "x = {0}(x)", 1),
    "fused6": (["LINEAR({w}, activation='relu6')"], "x = {0}(x)", 1),
    "fused_layer": (["LINEAR({w}, activation=layers.ReLU())"], "x = {0}(x)", 1),
    "fused_function": (
        ["LINEAR({w}, activation=keras.activations.relu)"],
        "x = {0}(x)",
        1,
    ),
    "fused_ops": (["LINEAR({w}, activation=ops.relu)"], "x = {0}(x)", 1),
    "relu": (["layers.ReLU()"], "x = {0}(x)", 1),
    "relu6": (["layers.ReLU(6.0)"], "x = {0}(x)", 1),
    "activation": (["layers.Activation('relu')"], "x = {0}(x)", 1),
    "activation6": (["layers.Activation('relu6')"], "x = {0}(x)", 1),
    "normalized": (
        ["LINEAR({w}, use_bias=False)", "layers.BatchNormalization()", "layers.ReLU()"],
        "x = {2}({1}({0}(x), training=training))",
        1,
    ),
    "shared": (["LINEAR({w})", "layers.ReLU()"], "x = {1}({1}({0}(x)) - 0.1)", 1),
    "two_widths": (["layers.ReLU()", "LINEAR({w})"], "x = {0}({1}({0}(x)))", 1),
    "loop": (
        ["LINEAR({v})", "layers.ReLU()"],
        "for _ in range(2):\n    x = {1}({0}(x))",
        1,
    ),
    "residual": (
        ["LINEAR({v})", "layers.ReLU()", "LINEAR({v}, activation='relu')"],
        "x = x + {2}({1}({0}(x)))",
        2,
    ),
    "rectified_sum": (
        ["LINEAR({v}, activation='relu')", "layers.Add()", "layers.ReLU()"],
        "x = {2}({1}([x, {0}(x)]))",
        2,
    ),
    "excited": (
        ["LINEAR({v}, activation='relu')", "LINEAR({v}, activation='sigmoid')"],
        "x = x * {1}({0}(x))",
        1,
    ),
    "branches": (
        ["LINEAR({w}, activation='relu')", "LINEAR({w})", "layers.Concatenate()"],
        "x = {2}([{0}(x), {1}(x)])",
        1,
    ),
    "dropout": (["layers.Dropout(0.3)"], "x = {0}(x, training=training)", 0),
    "norm": (["layers.LayerNormalization()"], "x = {0}(x)", 0),
    "conditional": (["LINEAR({v}, 'relu')"], "if self.units:\n    x = {0}(x)", 1),
    "sequential": (
        ["keras.Sequential([LINEAR({w}, 'relu'), layers.ReLU(), layers.Dropout(0)])"],
        "x = {0}(x)",
        2,
    ),
    "functional": (["make_functional({v}, {w})"], "x = {0}(x)", 2),
    "time_distributed": (
        ["PER_STEP({w}, 'relu')"],
        "x = {0}(x)",
        1,
    ),
    "frozen": (["LINEAR({w}, 'relu')"], "x = {0}(x)", 1),
    "unused": (["layers.ReLU()", "LINEAR({w})"], "x = x", 1),
    "ops": ([], "x = ops.relu(x)", 1),
    "ops6": ([], "x = ops.relu6(x - 0.1)", 1),
    "maximum": ([], "x = ops.maximum(x, 0.0)", 1),
    "activations": ([], "x = keras.activations.relu(x)", 1),
    "method": ([], "x = self.rectified(x)", 1),
    "lambda": ([], "x = (lambda y: ops.relu(y))(x)", 1),
}
#: Functions that an attribute holds, and how they are called.
_FUNCTIONS = {
    "function": ("keras.activations.get('relu')", "x = self.{name}(x)"),
    "partial": (
        "functools.partial(keras.activations.relu, max_value=4.0)",
        "x = self.{name}(x)",
    ),
    "function_in_list": ("[keras.activations.relu]", "x = self.{name}[0](x)"),
}
_OTHERS = ("argument", "block", "block", "block_twice")
#: Those whose output is as wide as their input.
_KEEP_WIDTH = frozenset(
    {"relu", "relu6", "activation", "activation6", "loop", "residual", "dropout"}
    | {"rectified_sum", "excited", "norm", "conditional", "ops", "ops6", "maximum"}
    | {"activations", "method", "lambda", "unused"}
)
_ENDS = ("plain", "rectifier", "dict", "list")

#: What a block is given as its activation.
_ARGUMENTS = ("'relu'", "'relu6'", "'tanh'", "keras.activations.relu", "layers.ReLU()")

_part = st.tuples(
    st.sampled_from((*_STEPS, *_FUNCTIONS, *_OTHERS)),
    st.sampled_from(_HOLDINGS),
    st.integers(2, 5),
)
_class = st.fixed_dictionaries(
    {
        "base": st.sampled_from(("layers.Layer", "layers.Layer", "keras.Model")),
        "config": st.booleans(),
        "in_build": st.booleans(),
        "argument": st.sampled_from(_ARGUMENTS),
        "parts": st.lists(_part, min_size=1, max_size=4),
    }
)
recipes = st.fixed_dictionaries(
    {
        "images": st.booleans(),
        "registered": st.booleans(),
        "trained": st.booleans(),
        "blocks": st.lists(_class, max_size=2),
        "model": _class,
        "end": st.sampled_from(_ENDS),
        "seed": st.integers(0, 2**16),
    }
)

_HEAD = """
import collections
import functools
import keras
from keras import layers, ops

def LINEAR(width, *args, **kwargs):
    return {linear}

def PER_STEP(*args):
    return {per_step}

def make_functional(wide, width):
    inputs = keras.Input({shape})
    hidden = layers.ReLU()(LINEAR(width, activation="relu")(inputs))
    return keras.Model(inputs, layers.BatchNormalization()(hidden))
"""
_PER_STEP = {
    False: "layers.Dense(*args)",
    True: "layers.TimeDistributed(layers.Dense(*args))",
}
_LINEAR = {
    False: "layers.Dense(width, *args, **kwargs)",
    True: "layers.Conv2D(width, 3, padding='same', **dict(zip(['activation'], args)), "
    "**kwargs)",
}
_CLASS = """
{decorator}class {name}({base}):
    def __init__(self, units=3, activation="relu", **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.{kept} = keras.activations.get(activation)
{init}
    def rectified(self, x):
        return ops.relu(x)

    def call(self, x, training=False):
{call}
"""
_BUILD = """
    def build(self, input_shape):
{lines}
        super().build(input_shape)
"""
_CONFIG = """
    def get_config(self):
        activation = keras.activations.serialize(self.{kept})
        config = {{"units": self.units, "activation": activation}}
        return {{**super().get_config(), **config}}
"""
_REGISTERED = "@keras.saving.register_keras_serializable('made')\n"
_NUMBERS = itertools.count()


@dataclasses.dataclass
class Made:
    """A model that a recipe became."""

    model: Any
    #: Its classes by name, as `custom_objects` takes them.
    classes: dict[str, Any]
    #: How many rectifiers are in it.
    rectifiers: int
    #: Its code.
    source: str
    #: A batch of data.
    inputs: np.ndarray


def build(recipe) -> Made:
    """The model of a recipe, with weights that make every branch matter."""
    keras.utils.set_random_seed(recipe["seed"])
    writer = _Writer(recipe)
    name = f"<made in python {next(_NUMBERS)}>"
    linecache.cache[name] = len(writer.source), None, writer.source.splitlines(True), ""
    space: dict[str, Any] = {"__name__": "made_in_python"}
    exec(compile(writer.source, name, "exec"), space)  # written above
    classes = {each: space[each] for each in writer.names}
    model = classes["Top"](2)
    shape = (3, 4, 4, 3) if recipe["images"] else (3, 4)
    x = np.random.default_rng(1).normal(size=shape).astype("float32")
    x[0, :2], x[1, :2] = 0.0, -0.0
    outputs = model(x)
    if recipe["trained"]:
        model.compile("adam", "mse")
        targets = keras.tree.map_structure(np.zeros_like, outputs)
        model.train_on_batch(x, keras.tree.map_structure(np.asarray, targets))
    rng = np.random.default_rng(recipe["seed"])
    for weight in model.weights:
        # Variances of batch normalization must stay positive.
        value = rng.uniform(0.1, 1.0, weight.shape)
        sign = 1 if "variance" in weight.path else rng.choice([-1, 1], weight.shape)
        weight.assign(value * sign)
    return Made(model, classes, writer.rectifiers, writer.source, x)


@dataclasses.dataclass
class _Block:
    """A class that others may use."""

    rectifiers: int
    #: How wide its output is.
    width: int
    #: What it is given as its activation.
    argument: str


class _Writer:
    """The source of a recipe, and how many rectifiers its model has."""

    def __init__(self, recipe: dict[str, Any]) -> None:
        images = recipe["images"]
        shape = "(None, None, wide)" if images else "(wide,)"
        self.source = _HEAD.format(
            linear=_LINEAR[images], per_step=_PER_STEP[images], shape=shape
        )
        self._decorator = _REGISTERED if recipe["registered"] else ""
        self._blocks: dict[str, _Block] = {}
        for index, block in enumerate(recipe["blocks"]):
            held = block["argument"] == "layers.ReLU()"  # listed, called or not
            found = int(block["argument"] != "'tanh'") - held
            in_build = block["in_build"] and block["base"] == "layers.Layer"
            # Keras saves no weights of what is in a set of a layer.
            parts = [
                (kind, "list" if holding == "set" else holding, width)
                for kind, holding, width in block["parts"]
            ]
            body = _Body(parts, self._blocks, 0, found)
            body.call.append("return x")
            self._write(f"Block{index}", block, body, in_build=in_build)
            self._blocks[f"Block{index}"] = _Block(
                body.rectifiers + held, body.width, block["argument"]
            )
        top = recipe["model"] | {"base": "keras.Model"}
        body = _Body(top["parts"], self._blocks, 3 if images else 4, 1)
        body.end(recipe["end"])
        self._write("Top", top, body, in_build=False)
        self.rectifiers = body.rectifiers
        self.names = [*self._blocks, "Top"]

    def _write(
        self, name: str, recipe: dict[str, Any], body: "_Body", *, in_build: bool
    ) -> None:
        kept = "activation" if recipe["config"] else "act"
        self.source += _CLASS.format(
            decorator=self._decorator,
            name=name,
            base=recipe["base"],
            kept=kept,
            init="" if in_build else _indented(body.init),
            call=_indented(body.call).replace("ARGUMENT", f"self.{kept}"),
        )
        if in_build:
            self.source += _BUILD.format(lines=_indented(body.init))
        if recipe["config"]:
            self.source += _CONFIG.format(kept=kept)


class _Body:
    """What `__init__` and `call` of one class say.

    Args:
        parts: What it has.
        blocks: Classes that it may use, with what they hold.
        start: How wide its input is; 0 for a block, which begins with a layer that
            takes any width.
        argument: How many rectifiers its activation is where it is called.
    """

    def __init__(
        self,
        parts: list[tuple[str, str, int]],
        blocks: dict[str, _Block],
        start: int,
        argument: int,
    ) -> None:
        self.init: list[str] = []
        self.call: list[str] = []
        self.rectifiers = 0
        self.width = start
        self._blocks = blocks
        self._called: int = argument
        if not start:
            self._add("start", "attributes", ["LINEAR(3)"], "x = {0}(x)")
            self.width = 3
        for index, (kind, holding, width) in enumerate(parts):
            self._part(f"part{index}", kind, holding, width)

    def _part(self, name: str, kind: str, holding: str, width: int) -> None:
        if kind in _STEPS:
            makers, call, count = _STEPS[kind]
            if kind == "method" and call in self.call:
                count = 0  # the same line of the same object
            made = [each.format(w=width, v=self.width) for each in makers]
            refs = self._add(name, holding, made, call, count)
            if kind == "frozen":
                self.init.append(f"{refs[0]}.trainable = False")
            if kind not in _KEEP_WIDTH:
                self.width = 2 * width if kind == "branches" else width
        elif kind in _FUNCTIONS:
            value, call = _FUNCTIONS[kind]
            self.init.append(f"self.{name} = {value}")
            self._add("", "", [], call.format(name=name), 1)
        elif kind == "argument":
            self._add("", "", [], "x = ARGUMENT(x)", self._called)
            self._called = 0  # it is one, however often it is called
        elif self._blocks:
            self._block(name, kind, holding, width)

    def _block(self, name: str, kind: str, holding: str, number: int) -> None:
        cls = sorted(self._blocks)[number % len(self._blocks)]
        block = self._blocks[cls]
        makers = [f"{cls}({number}, activation={block.argument})"]
        call = "x = {0}(x)"
        if kind == "block_twice":
            makers.append(f"LINEAR({self.width})")
            call = "x = {0}({1}({0}(x)))"
        self._add(name, holding, makers, call, block.rectifiers)
        self.width = block.width

    def _add(
        self, name: str, holding: str, makers: list[str], call: str, count: int = 0
    ) -> list[str]:
        """Hold layers, and call them; gives what they are called."""
        lines, refs = _held(holding, name, makers) if makers else ([], [])
        self.init += lines
        self.call.append(call.format(*refs))
        self.rectifiers += count
        return refs

    def end(self, kind: str) -> None:
        """The outputs of a model.

        Args:
            kind: One of the ends.
        """
        self._add("head", "attributes", ["LINEAR(2)"], "y = {0}(x)")
        match kind:
            case "plain":
                self.call.append("return y")
            case "rectifier":
                self._add("last", "attributes", ["layers.ReLU()"], "return {0}(y)", 1)
            case "dict":
                self.call.append("return {'y': y, 'x': x}")
            case "list":
                self.call.append("return [y, (x,)]")


def _held(holding: str, name: str, makers: list[str]) -> tuple[list[str], list[str]]:
    """What `__init__` says to hold layers, and what they are called from then on."""
    numbers = range(len(makers))
    each = [f"self.{name}_{i}" for i in numbers]
    items = [f"self.{name}[{i}]" for i in numbers]
    keys = ", ".join(f"p{i}={maker}" for i, maker in enumerate(makers))
    singly = [f"{ref} = {maker}" for ref, maker in zip(each, makers, strict=True)]
    joined = ", ".join(makers)
    match holding:
        case "attributes":
            return singly, each
        case "list":
            return [f"self.{name} = [{joined}]"], items
        case "tuple":
            return [f"self.{name} = ({joined},)"], items
        case "namedtuple":
            fields = [f"p{i}" for i in numbers]
            made = f"collections.namedtuple('Parts', {fields})({keys})"
            return [f"self.{name} = {made}"], [f"self.{name}.{f}" for f in fields]
        case "dict":
            refs = [f"self.{name}['p{i}']" for i in numbers]
            return [f"self.{name} = dict({keys})"], refs
        case "pairs":
            pairs = ", ".join(f"({maker}, {i})" for i, maker in enumerate(makers))
            return [f"self.{name} = [{pairs}]"], [f"{ref}[0]" for ref in items]
        case "lists_in_dict":
            lists = ", ".join(f"[{maker}]" for maker in makers)
            refs = [f"self.{name}['all'][{i}][0]" for i in numbers]
            return [f"self.{name} = {{'all': [{lists}]}}"], refs
        case "appended":
            added = [f"self.{name}.append({maker})" for maker in makers]
            return [f"self.{name} = []", *added], items
        case "setattr":
            lines = [f"setattr(self, '{name}_{i}', {makers[i]})" for i in numbers]
            return lines, [f"getattr(self, '{name}_{i}')" for i in numbers]
        case "set":
            lines = [f"self.{name}_{i} = {{{makers[i]}}}" for i in numbers]
            return lines, [f"next(iter({ref}))" for ref in each]
        case "twice":
            return [*singly, f"self.{name} = [{', '.join(each)}]"], items
    raise AssertionError(holding)


def _indented(lines: list[str]) -> str:
    return textwrap.indent("\n".join(lines), " " * 8) + "\n"
