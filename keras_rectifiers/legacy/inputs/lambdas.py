"""State the output shape of a Lambda that its file omits and later layers imply.

Keras works it out by running the function, which fails where its code uses names of
the module that it was written in. Here nothing runs, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from keras_rectifiers.graph.calls import Calls
from keras_rectifiers.graph.calls import Tensor
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import built_shape
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.functions import CODE
from keras_rectifiers.legacy.dialects.tensorflow.rewriter import restate
from keras_rectifiers.legacy.inputs.meet import Met
from keras_rectifiers.legacy.inputs.meet import TooManyTrialsError
from keras_rectifiers.legacy.inputs.meet import Trials
from keras_rectifiers.legacy.inputs.solve import doubt
from keras_rectifiers.legacy.inputs.solve import solve
from keras_rectifiers.legacy.inputs.solve import wrong
from keras_rectifiers.legacy.weights.arrange import Placed
from keras_rectifiers.repairs import Repair
from keras_rectifiers.specs import Shape

_RULE = "lambda"


def state_outputs(document: Entry, placed: Sequence[Placed]) -> Iterator[Repair]:
    """State the output shape of every Lambda of a document, as far as it is implied.

    Args:
        document: A modern document that was old; changed.
        placed: Every stored array.

    Yields:
        What was stated, and what is not known.
    """
    trials = Trials(document, placed)
    places = [place for place in walk(document) if _is_open(place.entry)]
    # Last one first: the layers after a Lambda must be known to infer its shape.
    for number, place in reversed(list(enumerate(places))):
        before = [id(each.entry) for each in places[:number]]
        shape, sure = _told(trials, place, before)
        if shape is not None:
            place.config["output_shape"] = list(shape[1:])
            text = (
                f"output shape → ({', '.join(map(str, shape))}), inferred from later "
            )
            text += "layers" if sure else "layers, one of several that fit"
            yield Repair(_RULE, place.path, text, caution=not sure)
        elif _holds_code(place.config):
            text = (
                "its output shape is unknown: Keras runs its code to find it, and "
                "cannot open the file if that code uses names from its own module"
            )
            yield Repair(_RULE, place.path, text, caution=True)
    if places:
        restate(document)


def _is_open(entry: Entry) -> bool:
    own = entry.get("class_name") == "Lambda" and entry.get("module") == known.LAYERS
    return own and config_of(entry).get("output_shape") is None


def _holds_code(config: dict[str, object]) -> bool:
    function = config.get("function")
    return isinstance(function, dict) and function.get("class_name") == CODE


def _told(
    trials: Trials, place: Place, before: Sequence[int]
) -> tuple[Shape | None, bool]:
    """The shape that a Lambda puts out, and whether no other one would do.

    Args:
        trials: Goes through the document.
        place: The Lambda.
        before: The identities of Lambdas before it whose shapes are not known yet.
    """
    built = _built_after(trials.calls, place)
    if built is not None:
        return built, True
    taken: list[Shape | None] = []

    def trial(shape: Shape) -> list[Met]:
        taken.clear()

        def instead(entry: Entry, tensors: list[TensorSpec]) -> list[TensorSpec] | None:
            if id(entry) in before and tensors:
                # For the comparison with what this one takes, which is never sure.
                return [tensors[0]]
            if entry is not place.entry:
                return None
            taken.append(tensors[0].shape if tensors else None)
            return [TensorSpec(shape, tensors[0].dtype if tensors else "float32")]

        return trials([], instead)

    found = solve(trial)
    if len(set(taken)) != 1 or not found:
        return None, False
    first, takes, single = found[0], taken[0], len(found) == 1
    if single and not first.doubt:
        return first.shape, True
    if takes is None or len(takes) != len(first.shape):
        return None, False
    # Several shapes would do: the one that it takes is among them, or no shape is
    # stated.
    shape = takes if single else first.shape
    try:
        met = trial(shape)
    except TooManyTrialsError:
        return None, False
    suits = not wrong(met) and not doubt(met, shape) and None not in shape[1:]
    return (shape, False) if suits else (None, False)


def _built_after(calls: Calls, place: Place) -> Shape | None:
    """The shape that the layer after a Lambda was built for, where it says so."""
    for call in calls.of(place):
        for taker, _ in calls.takers(Tensor(call.number, 0)):
            if len(taker.takes) == 1 and taker.steps == call.steps == 0:
                shape = built_shape(taker.member.entry)
                if shape is not None:
                    return shape
    return None
