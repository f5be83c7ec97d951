"""Meddle with a document: what fuzz tests do to files before they give them to us."""

import copy

from hypothesis import strategies as st

junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**70, -(2**70)]),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(["relu", "a", "x", "inner", "Functional", "keras.layers", "/"]),
    st.sampled_from([[], {}, [[]], [{}], {"class_name": "ReLU"}, ["x", 0, 0]]),
)


def places_of(value, path=()):
    """Every address in a document.

    Args:
        value: The document.
        path: The address of it.
    """
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from places_of(value[key], (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places_of(item, (*path, index))


def meddle(config, draw):
    """Change one place: remove it, replace it, or put another place's value there.

    Args:
        config: The document; it is changed.
        draw: As hypothesis gives it to a composite strategy.
    """
    places = list(places_of(config))
    if not places:
        return
    *around, key = draw(st.sampled_from(places))
    holder = config
    for each in around:
        holder = holder[each]
    match draw(st.sampled_from(["remove", "junk", "other", "twice"])):
        case "remove":
            del holder[key]
        case "junk":
            holder[key] = draw(junk)
        case "other":
            value = config
            for each in draw(st.sampled_from(places)):
                value = value[each]
            holder[key] = copy.deepcopy(value)
        case "twice" if isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
