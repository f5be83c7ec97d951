"""`relu(x) + (-alpha) * relu(-x)` as one `PRelu`, by the rewriter of onnxscript."""

from __future__ import annotations

from typing import Any

import numpy as np


def rewritten(model: Any) -> Any:
    """The same model with a `PRelu` for each rectifier with slopes.

    Args:
        model: A `onnx.ModelProto`; it is not changed.

    Returns:
        A `onnx.ModelProto`.
    """
    from onnxscript import ir
    from onnxscript import rewriter
    from onnxscript.rewriter import pattern

    def expanded(op: Any, x: Any, factor: Any) -> Any:
        return op.Add(op.Relu(x), op.Mul(op.Relu(op.Neg(x)), factor))

    def subtracted(op: Any, x: Any, factor: Any) -> Any:
        return op.Sub(op.Relu(x), op.Mul(op.Relu(op.Neg(x)), factor))

    def made(op: Any, x: Any, factor: Any, sign: int) -> Any:
        value = sign * ir.convenience.get_const_tensor(factor).numpy()
        slopes = ir.tensor(_slopes(value), name=f"{x.name}_slopes")
        return op.PRelu(x, op.initializer(slopes))

    def of_sum(op: Any, x: Any, factor: Any) -> Any:
        return made(op, x, factor, -1)

    def of_difference(op: Any, x: Any, factor: Any) -> Any:
        return made(op, x, factor, 1)

    def is_constant(context: Any, x: Any, factor: Any) -> bool:
        del context
        value = ir.convenience.get_const_tensor(factor)
        rank = None if x.shape is None else len(x.shape)
        return value is not None and (rank is None or len(value.shape) <= rank)

    rules = pattern.RewriteRuleSet(
        [
            pattern.RewriteRule(expanded, of_sum, is_constant),
            pattern.RewriteRule(subtracted, of_difference, is_constant),
        ],
        commute=True,
    )
    return rewriter.rewrite(model, rules)


def _slopes(value: Any) -> Any:
    """Slopes without leading axes of length 1.

    A `PRelu` broadcasts its slopes to its input, not both to each other.
    """
    value = np.asarray(value)
    while value.ndim and value.shape[0] == 1:
        value = value[0]
    return value.reshape(value.shape or (1,))
