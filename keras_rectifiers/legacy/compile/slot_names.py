"""What optimizers of the past call the arrays that they keep for a weight."""

from __future__ import annotations

from keras_rectifiers.surgery.optimizer_layout import ACCUMULATED
from keras_rectifiers.surgery.optimizer_layout import AVERAGE

#: A slot that Keras 2.1 to 2.3 kept for `amsgrad` where it was off.
DUMMY = "dummy"

#: Slot in Keras 3 -> what older optimizers call it.
ALIASES: dict[str, frozenset[str]] = {
    AVERAGE: frozenset({"average"}),
    ACCUMULATED: frozenset({"gradient_accumulator"}),
    "momentum": frozenset({"m", "momentum", "moment", "moments"}),
    "velocity": frozenset({"v", "velocity", "rms", "accumulator"}),
    "velocity_hat": frozenset({"vhat", "velocity_hat"}),
    "norm": frozenset({"u", "v", "norm"}),
    "average_gradient": frozenset({"mg", "average_gradient"}),
    "accumulator": frozenset({"accumulator"}),
    "accumulated_grad": frozenset({"accum_grad", "accumulated_grad", "accumulator"}),
    "accumulated_delta_var": frozenset(
        {"accum_var", "accumulated_delta_var", "delta_accumulator"}
    ),
    "linear": frozenset({"linear"}),
    DUMMY: frozenset({"vhat"}),
    "r": frozenset({"r"}),
    "c": frozenset({"c"}),
}
#: Every name of a slot.
NAMES = frozenset(name for names in ALIASES.values() for name in names)
