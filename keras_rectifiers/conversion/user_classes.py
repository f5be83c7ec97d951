"""Classes that only the user's code has: which ones a file names, and are they known.

Nothing is imported because a file names it. A class is known if the user handed it
over or named its module, or if the calling program has registered it with Keras.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from keras_rectifiers import specs
from keras_rectifiers.graph import forms
from keras_rectifiers.graph import traits
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.survey import Survey


def names_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The names by which Keras may find the class of an entry.

    Args:
        entry: An object's config, with its class; for a converted object, the names
            of the class it had before.
    """
    inner = config_of(entry).get(specs.CONVERTED_INNER)
    if forms.is_converted(entry) and inner:
        return names_of(inner)
    names = (entry.get("registered_name"), entry.get("class_name"))
    return tuple(dict.fromkeys(str(each) for each in names if each))


def is_registered(entry: Mapping[str, Any]) -> bool:
    """Whether the calling program has registered the class of an entry with Keras.

    Args:
        entry: An object's config, with its class.
    """
    keras = sys.modules.get("keras")
    if keras is None:
        return False
    find = keras.saving.get_registered_object
    return any(isinstance(find(name), type) for name in names_of(entry))


def is_given(
    entry: Mapping[str, Any], custom_objects: Mapping[str, Any] | None
) -> bool:
    """Whether the user handed over the class of an entry.

    Args:
        entry: An object's config, with its class.
        custom_objects: As Keras takes them.
    """
    given = custom_objects or {}
    return any(isinstance(given.get(name), type) for name in names_of(entry))


def holders(survey: Survey) -> Iterator[Entry]:
    """The layers of a document that are of users' classes and may hold layers.

    Args:
        survey: The document.
    """
    for place in survey.view.places[1:]:
        entry = place.entry
        if forms.is_operation(entry.get("module")) or forms.is_ours(entry):
            continue
        foreign = traits.of(str(entry["class_name"])).foreign
        if not is_model(entry) and (foreign or not forms.is_keras(entry)):
            yield entry
