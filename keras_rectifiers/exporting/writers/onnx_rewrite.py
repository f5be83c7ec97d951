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

    def one(op: Any, x: Any, factor: Any) -> Any:
        value = ir.convenience.get_const_tensor(factor).numpy()
        slopes = ir.tensor(_slopes(value), name=f"{x.name}_slopes")
        return op.PRelu(x, op.initializer(slopes))

    def is_constant(context: Any, x: Any, factor: Any) -> bool:
        del context
        value = ir.convenience.get_const_tensor(factor)
        rank = None if x.shape is None else len(x.shape)
        return value is not None and (rank is None or len(value.shape) <= rank)

    rule = pattern.RewriteRule(expanded, one, is_constant)
    rules = pattern.RewriteRuleSet([rule], commute=True)
    return rewriter.rewrite(model, rules)


def _slopes(factor: Any) -> Any:
    """Slopes from the factor of the negative part, without leading axes of 1.

    A `PRelu` broadcasts its slopes to its input, not both to each other.
    """
    value = -np.asarray(factor)
    while value.ndim and value.shape[0] == 1:
        value = value[0]
    return value.reshape(value.shape or (1,))
