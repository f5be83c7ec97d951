"""Match the variables of two live models: by name inside a container, then index.

`variable.path` is neither unique nor stable, and a global order shifts with each
new weight, so neither can serve.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import keras

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph import forms
from keras_rectifiers.graph.sites import ATTRIBUTE
from keras_rectifiers.live.exchange import own_attributes
from keras_rectifiers.live.layers import aside as outside
from keras_rectifiers.live.layers import class_of
from keras_rectifiers.live.layers import is_keras
from keras_rectifiers.live.layers import is_layer
from keras_rectifiers.live.layers import members
from keras_rectifiers.live.layers import own_variables
from keras_rectifiers.surgery.rewrite import Holder


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Variables of two models that belong together."""

    #: (old, new) weights.
    weights: tuple[tuple[Any, Any], ...]
    #: (old, new) states of seed generators.
    seeds: tuple[tuple[Any, Any], ...]
    #: New variables that have no old one.
    added: tuple[Any, ...]
    #: Old variables that have no new one.
    dropped: tuple[Any, ...]
    #: (path, old layer, new layer)
    layers: tuple[tuple[str, Any, Any], ...]
    #: Paths of what was replaced.
    changed: tuple[str, ...]
    #: (old, new) rectifiers, where both are layers.
    rectifiers: tuple[tuple[Any, Any], ...]
    #: Paths of layers with variables that were one object and are several now.
    split: tuple[str, ...]

    @property
    def moved(self) -> tuple[tuple[Any, Any], ...]:
        """All (old, new) variables: weights and seed states."""
        return (*self.weights, *self.seeds)


def pair(
    old: keras.Model,
    new: keras.Model,
    *,
    replaced: Iterable[Holder] | None = None,
    prepare: Callable[[Any, Any], None] | None = None,
) -> Pairs:
    """Pair the variables of a model with those of its rewritten twin.

    Args:
        old: The original.
        new: The model made from the rewritten document.
        replaced: Layers (and slots) of `new` that are replacements: their
            variables, and those of what they replaced, have no counterpart.
            Where it is not given, the layers whose class differs are taken.
        prepare: Called with each old layer and its new one before their variables
            are paired. Default None.

    Raises:
        UnsupportedModelError: A layer's variables differ in number or shape.
    """
    walker = _Walker(None if replaced is None else frozenset(replaced), prepare)
    walker.layer((), old, new)
    pairs = Pairs(
        tuple(walker.weights),
        tuple(walker.seeds),
        _unique(walker.added),
        _unique(walker.dropped),
        tuple(walker.layers),
        tuple(walker.changed),
        tuple(walker.rectifiers),
        tuple(walker.split),
    )
    _account(pairs, old, new)
    return pairs


def _unique(variables: Iterable[Any]) -> tuple[Any, ...]:
    return tuple({id(each): each for each in variables}.values())


def _account(pairs: Pairs, old: keras.Model, new: keras.Model) -> None:
    """Every variable of both models is a pair's, or came, or went.

    Raises:
        UnsupportedModelError: One is left over.
    """
    olds = [*(one for one, _ in pairs.moved), *pairs.dropped]
    news = [*(other for _, other in pairs.moved), *pairs.added]
    sources: dict[int, Any] = {}
    for one, other in pairs.moved:
        if sources.setdefault(id(other), one) is not one:
            raise UnsupportedModelError(
                "Each variable must have exactly one counterpart. Received: "
                f"{other.path!r} for {sources[id(other)].path!r} and {one.path!r}. "
                "Give each layer of the model a unique name."
            )
    for model, known in ((old, olds), (new, news)):
        met = {id(each) for each in known}
        left = [each.path for each in model.variables if id(each) not in met]
        if left:
            which = "original" if model is old else "rebuilt model"
            raise UnsupportedModelError(
                "Each variable must have its counterpart, or belong to a layer that "
                f"is replaced. Received: {len(left)} variables of the {which} without "
                f"a counterpart ({', '.join(left[:3])}). Keep layers in the graph of "
                "the model, and give custom classes a get_config that describes them "
                "completely."
            )


class _Walker:
    def __init__(
        self,
        replaced: frozenset[Holder] | None,
        prepare: Callable[[Any, Any], None] | None,
    ) -> None:
        self.replaced = replaced
        self.prepare = prepare
        self.changed: list[str] = []
        self.weights: list[tuple[Any, Any]] = []
        self.seeds: list[tuple[Any, Any]] = []
        self.added: list[Any] = []
        self.dropped: list[Any] = []
        self.layers: list[tuple[str, Any, Any]] = []
        self.rectifiers: list[tuple[Any, Any]] = []
        self.split: list[str] = []
        self._twins: dict[int, Any] = {}
        self._met: set[int] = set()

    def layer(
        self,
        names: tuple[str, ...],
        old: Any,
        new: Any,
        aside: frozenset[int] = frozenset(),
    ) -> None:
        """Pair two layers; `aside` are rectifiers in the slot of a layer around."""
        path = "/".join(names)
        if isinstance(old, keras.Model) != isinstance(new, keras.Model):
            raise UnsupportedModelError(_lost(names, old))
        if self._is_replaced(path, "", old, new):
            self._replace(path, old, new)
            self.layers.append((path, old, new))
            return
        if self._is_known(path, old, new):
            return
        self.layers.append((path, old, new))
        for name in _slots(old, new):
            before, slot = getattr(old, name, None), getattr(new, name, None)
            if self._is_replaced(path, name, before, slot):
                self._replace(path, before, slot)
                aside |= {id(before), id(slot)}
        if self.prepare is not None:
            self.prepare(old, new)
        self.weights += _match(path, own_variables(old), own_variables(new))
        self.seeds += _match(path, _states(old), _states(new))
        self._children(names, old, new, aside)

    def _replace(self, path: str, old: Any, new: Any) -> None:
        self.changed.append(path)
        self.dropped += getattr(old, "variables", ())
        self.added += getattr(new, "variables", ())
        if is_layer(old) and is_layer(new):
            self.rectifiers.append((old, new))

    def _is_known(self, path: str, old: Any, new: Any) -> bool:
        """Whether two layers were met already, as one pair."""
        twin = self._twins.setdefault(id(old), new)
        if twin is not new:
            if old.variables:
                self.split.append(path)
            return False
        if id(old) in self._met:
            return True
        self._met.add(id(old))
        return False

    def _is_replaced(self, path: str, slot: str, old: Any, new: Any) -> bool:
        if self.replaced is not None:
            return (path, slot) in self.replaced
        if class_of(old) is class_of(new):
            return False
        if slot:
            return is_layer(old) or is_layer(new)
        return _rectifies(old)

    def _children(
        self, names: tuple[str, ...], old: Any, new: Any, aside: frozenset[int]
    ) -> None:
        olds, news = _sublayers(old, aside), _sublayers(new, aside)
        if isinstance(old, keras.Model):
            twins, left = _twins(olds, news)
            for layer in olds:
                if id(layer) not in twins:
                    raise UnsupportedModelError(_lost(names, layer))
                self.layer((*names, layer.name), layer, twins[id(layer)], aside)
            for layer in left:
                path = "/".join((*names, layer.name))
                if not self._may_be_new(path, layer, old):
                    raise UnsupportedModelError(_lost(names, layer))
                self._replace(path, None, layer)
            self._aside(names, old, new)
            return
        if len(olds) != len(news):
            if any(each.variables for each in (*olds, *news)):
                raise UnsupportedModelError(_lost(names, old))
            # What has no weights may be made at the first call, as a preprocessor's.
            twins, _ = _twins(olds, news)
            olds = [each for each in olds if id(each) in twins]
            news = [twins[id(each)] for each in olds]
        for layer, twin in zip(olds, news, strict=True):
            self.layer((*names, layer.name), layer, twin, aside)

    def _aside(self, names: tuple[str, ...], old: Any, new: Any) -> None:
        """Pair what two Functional models hold outside their graphs."""
        olds, news = outside(old), outside(new)
        if len(olds) > len(news):
            raise UnsupportedModelError(_lost(names, olds[0]))
        for layer, twin in zip(olds, news, strict=False):  # `_account` finds more
            if id(layer) not in self._met:
                self.layer((*names, layer.name), layer, twin)

    def _may_be_new(self, path: str, layer: Any, old: Any) -> bool:
        """Whether a layer was an operation before, or was split off."""
        if self.replaced is not None:
            return (path, "") in self.replaced
        operations = {each.name for each in getattr(old, "operations", ())}
        return layer.name in operations or layer.name.rpartition("_")[0] in operations


def _slots(old: Any, new: Any) -> Iterator[str]:
    """Attributes of a layer that may hold a rectifier."""
    yield ATTRIBUTE
    if is_keras(old):
        return
    others = own_attributes(new)
    for name, value in own_attributes(old).items():
        if name == ATTRIBUTE or name not in others:
            continue
        if is_layer(value) != is_layer(others[name]):
            yield name


def _sublayers(layer: Any, aside: frozenset[int]) -> list[Any]:
    children = filter(is_layer, members(layer))
    return [child for child in children if id(child) not in aside]


def _match(path: str, olds: list[Any], news: list[Any]) -> list[tuple[Any, Any]]:
    """Pairs by name where each name is one variable's, else by number."""
    names, twins = [each.name for each in olds], {each.name: each for each in news}
    if len(twins) == len(news) == len(olds) and set(names) == set(twins):
        news = [twins[name] for name in names]
    before = [tuple(variable.shape) for variable in olds]
    after = [tuple(variable.shape) for variable in news]
    if before != after:
        raise UnsupportedModelError(
            "A layer rebuilt from its config must have the variables of the original. "
            f"Received: shapes {before} in the original and {after} in the rebuilt "
            f"layer, at {path or 'the top of the model'!r}. Build the model before "
            "you convert it, and give custom classes a get_config that describes them "
            "completely."
        )
    return list(zip(olds, news, strict=True))


def _twins(olds: list[Any], news: list[Any]) -> tuple[dict[int, Any], list[Any]]:
    """The twin of each old layer by its identity, and the new layers left over.

    Layers are matched by name. A class that does not keep its name in its config gets
    another one at each load: where some layer of a class has a name that the old model
    lacks, all of that class are matched in their order.
    """
    twins: dict[int, Any] = {}
    names = {layer.name for layer in olds}
    left = list(news)
    for kind in dict.fromkeys(map(class_of, olds)):
        ones = [layer for layer in olds if class_of(layer) is kind]
        others = [layer for layer in left if class_of(layer) is kind]
        strange = any(layer.name not in names for layer in others)
        if strange and len(ones) == len(others):
            twins |= {id(a): b for a, b in zip(ones, others, strict=True)}
            left = [layer for layer in left if class_of(layer) is not kind]
    by_name = {layer.name: layer for layer in left}
    for layer in olds:
        if id(layer) not in twins and layer.name in by_name:
            twins[id(layer)] = by_name.pop(layer.name)
    return twins, list(by_name.values())


def _states(layer: Any) -> list[Any]:
    return [generator.state for generator in layer._seed_generators]


def _rectifies(layer: Any) -> bool:
    if not is_layer(layer) or isinstance(layer, keras.Model):
        return False
    known = forms.recognize_layer(
        type(layer).__name__,
        "keras" if type(layer).__module__.startswith("keras.") else "",
        keras.saving.get_registered_name(type(layer)),
        layer.get_config(),
    )
    return known is not None


def _lost(names: tuple[str, ...], layer: Any) -> str:
    return (
        f"Every layer must be rebuilt from its config. Received: {layer.name!r} "
        f"({type(layer).__name__}) at {'/'.join(names) or 'the top of the model'!r}, "
        "which is missing. Give its class a get_config that describes it completely."
    )
