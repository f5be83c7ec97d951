"""What to do about each cause, in words and in Python, and where that comes from.

The code takes `model`, `x` and `y` as names, and leaves the mended model as `model`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from keras_rectifiers.diagnosis import calls
from keras_rectifiers.diagnosis.calls import FINETUNE
from keras_rectifiers.diagnosis.causes.case import Setting
from keras_rectifiers.diagnosis.evidence.lag import lag

_FINETUNE = "import keras_rectifiers\n\nmodel = {call}.model"
#: Where the user does not want to train.
_UNTRAINED = (
    f" Without training, {calls.CONVERT} only gives the units a slope: no output "
    "changes until you train."
)
#: Learning rates that suit most networks: of optimizers whose step has about the size
#: of the rate, and of SGD.
_RATES = {True: 1e-3, False: 1e-2}
#: Times the usual rate from which on a rate is high; rounding is below.
_HIGH = 1.01


@dataclasses.dataclass(frozen=True)
class Remedy:
    """What to do about a cause."""

    #: For people.
    sentence: str
    #: Lines of Python; empty where nothing can be run.
    code: str = ""
    #: The one call that matters in these lines; empty where it is none of ours.
    call: str = ""


def remedy(kind: str, setting: Setting | None = None, *, origin: str = "") -> Remedy:
    """The remedy of a cause.

    Args:
        kind: The cause, or `"not_finite_weights"`, `"not_finite_data"` or
            `"not_finite_values"`.
        setting: The model; None where nothing is known of it.
        origin: The layer in which it began.
    """
    made = _REMEDIES[kind](setting)
    sentence = made.sentence.format(origin=origin)
    training = None if setting is None else setting.evidence.training
    if setting is not None and training is None and "finetune(" in made.code:
        sentence += " The model is not compiled: pass its loss to finetune as loss=."
    return Remedy(sentence, made.code, made.call)


def _finetune(sentence: str) -> Callable[[Setting | None], Remedy]:
    return lambda _: Remedy(sentence, _FINETUNE.format(call=FINETUNE), FINETUNE)


def _learning_rate(setting: Setting | None) -> Remedy:
    rate = _lower_rate(setting)
    call = FINETUNE if rate is None else calls.finetune(learning_rate=rate)
    trains = "trains it" if rate is None else "trains it at a lower rate"
    return Remedy(
        f"{call} revives or restarts the model and {trains}. For a new run take a "
        "tenth of the learning rate, a warm-up "
        "(keras.optimizers.schedules.CosineDecay(warmup_steps=...)) or clipped "
        "gradients (clipnorm=1.0).",
        _FINETUNE.format(call=call),
        call,
    )


def _lower_rate(setting: Setting | None) -> float | None:
    """A rate that suits most networks, where that of now is higher; else None."""
    training = None if setting is None else setting.evidence.training
    if training is None:
        return None
    usual = _RATES[training.scale_free]
    return usual if training.learning_rate > _HIGH * usual else None


def _input_scale(setting: Setting | None) -> Remedy:
    scaled = "x = (x - x.mean()) / x.std()"
    if setting is not None and len(setting.evidence.inputs) > 1:
        scaled = (
            "import keras\n\nx = keras.tree.map_structure(\n"
            "    lambda part: (part - part.mean()) / part.std(), x\n)"
        )
    return Remedy(
        f"Scale the data, and train with {FINETUNE}. Give the model the "
        "same scale wherever it is used: keras.layers.Rescaling(1 / 255) for pixels, "
        "or keras.layers.Normalization() with adapt(x_train), as its first layer. "
        "Where finetune draws the weights again, it puts one there by itself.",
        f"{scaled}\n{_FINETUNE.format(call=FINETUNE)}",
        FINETUNE,
    )


def _lagging(setting: Setting | None) -> Remedy:
    code = (
        "from keras_rectifiers.revival import refresh_statistics\n\n"
        "refresh_statistics(model, x)"
    )
    sentence = (
        "Estimate the moving statistics again from training data: "
        f"{calls.REFRESH}. In training take a lower momentum= (0.9) of "
        "BatchNormalization where an epoch has few steps."
    )
    norms = () if setting is None else setting.evidence.norms
    if any(each.frozen and lag(each).any() for each in norms):
        sentence += " Frozen layers keep their statistics: unfreeze them first."
        code = f"model.trainable = True\n{code}"
    return Remedy(sentence, code, calls.REFRESH)


_DATA_CODE = """import numpy as np

finite = np.isfinite(x).reshape(len(x), -1).all(axis=1)
x, y = x[finite], y[finite]"""

_REMEDIES: dict[str, Callable[[Setting | None], Remedy]] = {
    "lagging_statistics": _lagging,
    "dead_output": _finetune(
        f"{FINETUNE} gives the output a new start and trains it. Where labels can be "
        "negative, or classes have probabilities, do not end in a rectifier: use a "
        "linear layer or softmax."
    ),
    "collapsed_upstream": _finetune(
        f"Mend {{origin!r}} first and look again: {FINETUNE} brings its units back."
        f"{_UNTRAINED}"
    ),
    "learning_rate": _learning_rate,
    "input_scale": _input_scale,
    "initialization": _finetune(
        f"{FINETUNE} revives the units or draws the weights again so that the signal "
        "passes. For a new run use kernel_initializer='he_normal', "
        "bias_initializer='zeros' and wider layers."
    ),
    "bias_shift": _finetune(
        f"{FINETUNE} gives these units new weights and a bias of 0. For a new run use "
        f"bias_initializer='zeros'.{_UNTRAINED}"
    ),
    "batch_norm": _finetune(
        f"{FINETUNE} sets beta of these units to 0 and gamma to 1, and trains on. "
        "Without training, keras_rectifiers.revival.reset_norms(model) does the first."
    ),
    "not_finite_weights": lambda _: Remedy(
        "These weights are lost: load a checkpoint from before. Then train with a "
        "lower learning rate and clipnorm=1.0, on data without NaN, in float32 where "
        "half precision overflows."
    ),
    "not_finite_data": lambda _: Remedy(
        "Remove or fill these samples of the data, and look again.", _DATA_CODE
    ),
    "not_finite_values": lambda _: Remedy(
        "Values overflow inside the model: scale the data, lower the learning rate and "
        "set clipnorm=1.0, and use float32 where half precision overflows."
    ),
    "unknown": _finetune(
        f"{FINETUNE} brings the units back and shows whether they are missed."
        f"{_UNTRAINED}"
    ),
}

REFERENCES = {
    "lagging_statistics": (
        "Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 2; Wu & Johnson 2021, "
        "arXiv:2105.07576, section 3"
    ),
    "learning_rate": (
        "Karpathy, CS231n notes, 'Ratio of weights:updates': about 1e-3 a step"
    ),
    "input_scale": "LeCun et al. 1998, 'Efficient BackProp', section 4.3",
    "initialization": (
        "He et al. 2015, arXiv:1502.01852, equation 10; Lu et al. 2019, "
        "arXiv:1903.06733"
    ),
    "batch_norm": "Ioffe & Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2",
}
