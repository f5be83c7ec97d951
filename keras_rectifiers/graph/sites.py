"""Find every rectifier of a document: its place and what it computes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_rectifiers.graph import capped
from keras_rectifiers.graph import forms
from keras_rectifiers.graph.axes import Axes
from keras_rectifiers.graph.calls import Calls
from keras_rectifiers.graph.calls import Tensor
from keras_rectifiers.graph.calls import same
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.inference.shapes import Shapes
from keras_rectifiers.graph.policies import policy_for
from keras_rectifiers.graph.policies import policy_name
from keras_rectifiers.graph.roles import Roles
from keras_rectifiers.specs import Rectifier
from keras_rectifiers.specs import Shape

LAYER = "layer"
FUSED = "fused"
OPERATION = "op"

#: The config key of a fused rectifier, and the attribute it becomes.
ATTRIBUTE = "activation"
#: The argument of a PReLU by which its slopes are stored divided.
SCALE = "learning_rate_multiplier"


@dataclasses.dataclass(frozen=True)
class Site:
    """One rectifier of a model, as the user sees it."""

    #: Names from inside the top model, joined by `/`; a fused rectifier has the
    #: path of its host.
    path: str
    #: `"layer"`, `"fused"` (in a layer's `activation`) or `"op"`.
    form: str
    #: How it is written, such as `Conv2D(activation='relu')`.
    spelling: str
    #: `"relu"`, `"leaky_relu"` or `"prelu"`.
    kind: str
    #: Slope for negative input (0 for a PReLU, whose slopes are weights).
    negative_slope: float
    #: Upper bound of the output, or None.
    max_value: float | None
    #: Input below which the negative branch applies.
    threshold: float
    #: `"hidden"`, `"gate"`, `"output"`, `"guard"`, `"recurrent"` or `"custom"`.
    role: str
    #: Why it has this role; empty for a hidden activation.
    evidence: str
    #: Shape of the output, one for each call; None where the model does not say.
    shapes: tuple[Shape | None, ...]
    #: Axis of the channels, counted from the batch at 0; -1 for the last one.
    channel_axis: int
    #: Name of the dtype policy, such as `"float32"` or `"mixed_float16"`.
    dtype: str

    @property
    def channels(self) -> int | None:
        """Number of channels, None where unknown or different between calls."""
        widths = set(self.widths)
        return widths.pop() if len(widths) == 1 else None

    @property
    def widths(self) -> tuple[int | None, ...]:
        """Number of channels at each call."""
        least = max(2, self.channel_axis + 1)
        return tuple(
            None if shape is None or len(shape) < least else shape[self.channel_axis]
            for shape in self.shapes
        )


def uses_by_width(site: Site) -> tuple[int, ...]:
    """For each call the number of its use, where calls at one width are one use.

    Args:
        site: The site.
    """
    numbers = {key: index for index, key in enumerate(dict.fromkeys(site.widths))}
    return tuple(numbers[key] for key in site.widths)


@dataclasses.dataclass(frozen=True)
class Found:
    """A site and its places in the document (several, if shared)."""

    site: Site
    places: tuple[Place, ...]
    #: Number of calls at each place.
    calls: tuple[int, ...]
    #: Operand that an operation rectifies.
    operand: int = 0
    #: Whether the channels are on the same axis at each call.
    one_axis: bool = True
    #: Whether it can become several layers, one for each use.
    divisible: bool = True

    @property
    def uses(self) -> tuple[int, ...]:
        """For each call, the number of the use that it belongs to.

        Calls at different widths are different uses, since slopes belong to
        channels. So are a bare rectifier's calls in different models: Keras
        cannot revive a layer that a model shares with a model inside it.
        """
        if not self.divisible:
            return uses_by_width(self.site)
        homes = [place.parent and place.parent.identity for place in self.places]
        owners = [
            home
            for home, calls in zip(homes, self.calls, strict=True)
            for _ in range(calls)
        ]
        if self.site.form == FUSED:
            owners = [None] * len(owners)
        keys = list(zip(owners, self.site.widths, strict=True))
        numbers = {key: index for index, key in enumerate(dict.fromkeys(keys))}
        return tuple(numbers[key] for key in keys)

    @property
    def own_places(self) -> tuple[Place, ...]:
        """The places that have their own rectifier once it is replaced.

        A host that is shared has one rectifier, and so has a shared model.
        """
        if self.site.form == FUSED:
            return self.places[:1]
        first: dict[tuple[Any, ...] | None, Place] = {}
        for place in self.places:
            home = None if place.parent is None else place.parent.identity
            first.setdefault(home, place)
        return tuple(first.values())

    @property
    def attribute(self) -> str:
        """Attribute of the layer here that holds the rectifier; empty if it is one.

        An `Activation` holds one too, where it was given a layer.
        """
        held = holds_layer(self.places[0].entry)
        return ATTRIBUTE if self.site.form == FUSED or held else ""

    @property
    def is_ours(self) -> bool:
        """Whether it is a layer of this package."""
        place = self.places[0]
        held = place.config.get(ATTRIBUTE) if self.attribute else place.entry
        return isinstance(held, dict) and forms.is_ours(held)

    @property
    def group(self) -> tuple[str, ...]:
        """Group of the rectifier's weights in the weights file."""
        place = self.places[0]
        if not self.attribute:
            return place.group
        held = place.config.get(self.attribute)
        return (*place.group, self.attribute, *capped.below(held))

    @property
    def slope_scale(self) -> float:
        """What the stored slopes of a PReLU are multiplied with.

        It is the layer's `learning_rate_multiplier`, 1 where there is none.
        """
        config: Any = self.places[0].config
        if self.attribute:
            held = capped.rectifier(config.get(ATTRIBUTE))
            config = held.get("config") if isinstance(held, dict) else None
        scale = config.get(SCALE) if isinstance(config, dict) else None
        return float(scale) if isinstance(scale, int | float) else 1.0


def holds_layer(entry: Entry) -> bool:
    """Whether an entry is an `Activation` that was given a layer."""
    value = config_of(entry).get(ATTRIBUTE)
    return (
        entry.get("class_name") == "Activation"
        and isinstance(value, dict)
        and value.get("class_name") != "function"
    )


def find(calls: Calls, axes: Axes, roles: Roles, shapes: Shapes) -> tuple[Found, ...]:
    """Every rectifier of a model, in the order of its layers.

    Args:
        calls: The calls of the model.
        axes: The axes of its channels.
        roles: What the outputs of its calls are there for.
        shapes: The shapes of its tensors.

    Returns:
        One `Found` for each rectifier. A layer that is shared between models
        counts once.
    """
    shared: dict[tuple[Any, ...], list[Place]] = {}
    recognized: dict[tuple[Any, ...], tuple[str, Rectifier, int]] = {}
    for place in calls.view.places[1:]:
        known = recognize(place, calls)
        if known is not None:
            recognized.setdefault(place.identity, known)
            shared.setdefault(place.identity, []).append(place)
    return tuple(
        _found(places, *recognized[identity], calls, axes, roles, shapes)
        for identity, places in shared.items()
    )


def recognize(place: Place, calls: Calls) -> tuple[str, Rectifier, int] | None:
    """Form, function and operand of the rectifier at a place, if one is there.

    Args:
        place: A layer or an operation.
        calls: The calls of the model.
    """
    entry, config = place.entry, place.config
    class_name, module = str(entry["class_name"]), entry.get("module")
    if forms.is_operation(module):
        return _recognize_operation(place, calls)
    known = forms.recognize_layer(
        class_name, module, entry.get("registered_name"), config
    )
    if known is not None:
        return LAYER, known, 0
    if class_name != "Activation":
        known = forms.recognize_activation(config.get(ATTRIBUTE))
        if known is not None:
            return FUSED, known, 0
    return None


def _recognize_operation(
    place: Place, calls: Calls
) -> tuple[str, Rectifier, int] | None:
    known = forms.recognize_operation(
        str(place.entry["class_name"]),
        place.entry.get("module"),
        place.config,
        _operands(place, calls),
        calls.producer,
        same,
    )
    return None if known is None else (OPERATION, *known)


def _operands(place: Place, calls: Calls) -> Sequence[Any]:
    """The operands at the first call."""
    return next((call.args for call in calls.of(place)), ())


def _found(
    places: list[Place],
    form: str,
    known: Rectifier,
    operand: int,
    calls: Calls,
    axes: Axes,
    roles: Roles,
    shapes: Shapes,
) -> Found:
    place = places[0]
    fused = form == FUSED
    role, evidence = roles.of_places(places, known, fused=fused)
    axis, one_axis = axes.of_places(places)
    called = [shapes.outputs(each, fused=fused) for each in places]
    site = Site(
        path=place.path,
        form=form,
        spelling=_spelling(place, form, known, operand),
        kind=known.kind,
        negative_slope=known.negative_slope,
        max_value=known.max_value,
        threshold=known.threshold,
        role=role,
        evidence=evidence,
        shapes=tuple(shape for each in called for shape in each),
        channel_axis=axis,
        dtype=_policy(
            place, calls, operand, place.config.get(ATTRIBUTE) if fused else None
        ),
    )
    counts = tuple(len(each) for each in called)
    return Found(site, tuple(places), counts, operand, one_axis)


def _policy(place: Place, calls: Calls, operand: int, held: Any) -> str:
    """Name of the dtype policy that a rectifier in a place must have.

    Args:
        place: The layer or operation.
        calls: The calls of the model.
        operand: Which operand an operation rectifies.
        held: The value of the attribute, for a fused one; a layer there has its own.
    """
    own = config_of(held).get("dtype") if isinstance(held, dict) else None
    dtype = place.config.get("dtype") if own is None else own
    if dtype is not None:
        return policy_name(dtype)
    tensor = next(iter(_operands(place, calls)[operand:]), None)
    known = calls.stated(tensor).dtype if isinstance(tensor, Tensor) else None
    return policy_for(known)


def _held_text(value: dict[str, Any], known: Rectifier) -> str:
    """A function or a layer in an `activation` argument as it is written."""
    inner = capped.rectifier(value)
    class_name = inner.get("class_name")
    if class_name == "function":
        return _function_text(value)
    bound = "" if inner is value else f"max_value={known.max_value:g}"
    return f"{class_name}({bound})"


def _function_text(value: dict[str, Any]) -> str:
    """A function as it is written, with what a partial gives it."""
    keywords = value.get("keywords")
    if not keywords:
        return repr(value.get("config"))
    given = ", ".join(f"{key}={each}" for key, each in keywords.items())
    return f"partial({value.get('config')}, {given})"


def _spelling(place: Place, form: str, known: Rectifier, operand: int) -> str:
    class_name = str(place.entry["class_name"])
    value = place.config.get(ATTRIBUTE)
    if form == FUSED or class_name == "Activation":
        text = _held_text(value, known) if isinstance(value, dict) else repr(value)
        shown = text if class_name == "Activation" else f"{ATTRIBUTE}={text}"
        return f"{class_name}({shown})"
    extra = {
        "max_value": known.max_value,
        "negative_slope": known.negative_slope or None,
        "threshold": known.threshold or None,
    }
    given = [f"{key}={value:g}" for key, value in extra.items() if value is not None]
    if form == LAYER:
        return f"{class_name}({', '.join(given)})"
    if class_name == "Maximum":
        return "ops.maximum(x, 0)"
    if class_name == "Where":
        positive = operand == 1
        return f"ops.where({'x > 0, x, 0' if positive else 'x < 0, 0, x'})"
    if class_name == "Clip":
        return f"ops.clip(x, 0, {known.max_value:g})"
    if class_name == "ReLU":
        return f"activations.relu({', '.join(['x', *given])})"
    return f"ops.{'leaky_relu' if class_name == 'LeakyRelu' else class_name.lower()}(x)"
