"""State the shape that a Sequential takes, where its file does not.

Where a Sequential of Keras 2 was built by its first call, some versions wrote nothing
of the input. Keras 3 then has no shape to make the variables with, and refuses the
weights.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.graph.policies import compute_dtype
from keras_rectifiers.legacy.dialects.structure import lacks_input
from keras_rectifiers.legacy.dialects.structure import put_input
from keras_rectifiers.legacy.inputs.meet import Met
from keras_rectifiers.legacy.inputs.meet import Trials
from keras_rectifiers.legacy.inputs.solve import Solution
from keras_rectifiers.legacy.inputs.solve import doubt
from keras_rectifiers.legacy.inputs.solve import solve
from keras_rectifiers.legacy.inputs.solve import wrong
from keras_rectifiers.legacy.weights.arrange import Placed
from keras_rectifiers.repairs import Repair
from keras_rectifiers.specs import Shape

_RULE = "input_shape"
#: Layers that lay axes together or apart, after which a rank does not show.
_RELAY = frozenset({"Flatten", "Reshape"})


def state_input(
    document: Entry,
    placed: Callable[[], Sequence[Placed]] | None,
    given: Sequence[int | None] | None,
    path: Path,
) -> Iterator[Repair]:
    """Put the shape that a model takes into its document, where it is missing.

    Args:
        document: A modern document; changed.
        placed: Gives every stored array; None for an architecture alone.
        given: The shape that the user states, with the batch axis, or None.
        path: The file, for errors.

    Yields:
        What was put in.

    Raises:
        UnsupportedModelError: The shape does not follow from the weights, or the
            one that is given contradicts them or the file.
    """
    if not lacks_input(document):
        if given is not None:
            _check_stated(document, list(given), path)
        return
    arrays = list(placed()) if placed is not None else []
    if given is None and not arrays:
        return  # nothing is built: Keras opens it, and builds it when it is called
    trials = Trials(document, arrays)
    first = next(_leaves(document))

    def trial(shape: Shape) -> list[Met]:
        return trials([TensorSpec(shape)])

    if given is not None:
        shape = tuple(given)
        _check_given(trial(shape), shape, path)
        yield from _put(document, first, shape, "as stated")
        return
    found = solve(trial)
    chosen = _chosen(found, trial)
    if chosen.doubt:
        raise _unknown(path, found, chosen.doubt)
    several = len(found) > 1
    origin = "inferred from the weights"
    if several:
        origin += "; more axes would also fit: pass --input-shape to state them"
    yield from _put(document, first, chosen.shape, origin, caution=several)


def _chosen(found: list[Solution], trial: Callable[[Shape], list[Met]]) -> Solution:
    """The one shape that will do, or the one of the fewest axes.

    More axes are not a contradiction where all layers act only on the last one.
    """
    if not found:
        return Solution((), "no shape suits all layers")
    if len(found) == 1 and found[0].doubt:
        return found[0]
    met = trial(found[0].shape)
    weighted = next((each for each in met if each.asks.weighted), None)
    if weighted is None or weighted.shape is None:
        return Solution((), "the layers before the first weights are unknown")
    if len(found) > 1 and any(each.class_name in _RELAY for each in met):
        shapes = " and ".join(f"({_text(each.shape)})" for each in found[:2])
        return Solution((), f"shapes such as {shapes} would all fit")
    return found[0]


def _put(
    document: Entry, first: Entry, shape: Shape, origin: str, *, caution: bool = False
) -> Iterator[Repair]:
    indices = first["class_name"] == "Embedding"  # which half precision cannot count
    dtype = None if indices else config_of(first).get("dtype")
    put_input(document, list(shape), compute_dtype(dtype))
    text = f"no shape of the input → ({_text(shape)}), {origin}"
    yield Repair(_RULE, "", text, caution)


def _leaves(model: Entry) -> Iterator[Entry]:
    for entry in layers_of(model):
        if is_model(entry):
            yield from _leaves(entry)
        else:
            yield entry


def _check_stated(document: Entry, given: list[int | None], path: Path) -> None:
    layers = layers_of(document)
    inputs = [each for each in layers if each["class_name"] == "InputLayer"]
    shapes = [config_of(each).get("batch_shape") for each in inputs]
    if shapes != [given]:
        stated = ", ".join(f"({_text(each)})" for each in shapes if each) or "it"
        raise UnsupportedModelError(
            "An input shape can only be given for a Sequential that does not state "
            f"one. Received: ({_text(given)}) for {str(path)!r}, which states {stated} "
            "itself. Remove --input-shape (input_shape in Python)."
        )


def _check_given(met: list[Met], shape: Shape, path: Path) -> None:
    other = wrong(met)
    why = f"{other.name!r} does not accept it" if other else doubt(met, shape)
    if why:
        raise UnsupportedModelError(
            "The input shape must match the weights of every layer. Received: "
            f"({_text(shape)}) for {str(path)!r}, where {why}. Pass another shape: "
            "the batch axis first, None for a length that can vary."
        )


def _unknown(path: Path, found: list[Solution], why: str) -> UnsupportedModelError:
    shape = found[0].shape if found else (None, None)
    example = ",".join("None" if i == 0 else str(n or "N") for i, n in enumerate(shape))
    return UnsupportedModelError(
        "The input shape of a Sequential must be stated in the file or follow from "
        f"the weights. Received: {str(path)!r}, which does not state it, and {why}. "
        f"Pass the shape, with the batch axis first: --input-shape {example} "
        "(input_shape= in Python), with numbers for N."
    )


def _text(shape: Sequence[int | None]) -> str:
    return ", ".join(str(length) for length in shape)
