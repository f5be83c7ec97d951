"""Layers that stand in more than one model, which Keras 3 saves and cannot open.

The calls of such a layer are counted in each model for itself, where Keras 3 counts
all calls of one layer; it then finds outputs that lead to no input.
"""

from __future__ import annotations

from collections import defaultdict

from keras_rectifiers.saved.dialects import known
from keras_rectifiers.saved.dialects.registry import WAS
from keras_rectifiers.saved.dialects.registry import Context
from keras_rectifiers.saved.dialects.registry import entry_rule
from keras_rectifiers.surgery.document import Address
from keras_rectifiers.surgery.document import Entry
from keras_rectifiers.surgery.document import Place
from keras_rectifiers.surgery.document import is_model
from keras_rectifiers.surgery.document import walk

_KEY = "shared_object_id"


@entry_rule(
    "shared", "One layer in several models → a layer for each, of equal weights"
)
def give_each_its_own(entry: Entry, context: Context) -> None:
    """Let each model have a layer of its own, where several had one."""
    if entry[WAS]["path"] or not known.is_old(entry, context.origin.version):
        return
    models: defaultdict[object, set[Address]] = defaultdict(set)
    places: defaultdict[object, list[Place]] = defaultdict(list)
    for place in walk(entry):
        parent, shared = place.parent, place.entry.get(_KEY)
        if parent is None or not isinstance(shared, int | str):
            continue
        if place.entry.get("class_name") == "InputLayer":
            continue  # it is not called, so there is nothing to count
        if is_model(parent.entry):
            models[shared].add(parent.address)
            places[shared].append(place)
    for shared, found in models.items():
        if len(found) > 1:
            for place in places[shared]:
                del place.entry[_KEY]
            _say(places[shared], context)


def _say(places: list[Place], context: Context) -> None:
    text = f"one layer in {len(places)} models → a layer for each, of equal weights"
    context.repaired(places[0].entry, text, caution=True)
