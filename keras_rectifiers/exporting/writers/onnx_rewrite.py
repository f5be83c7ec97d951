"""`relu(x) + (-alpha) * relu(-x)` as one `PRelu`, by the rewriter of onnxscript.

What exporters put between these operations goes first: torch's casts to the dtype that
is there, and the transpositions between which tf2onnx keeps a product whose slopes
differ by position, since it moves them past a factor for each channel only.
"""

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
    import onnx
    from onnxscript import ir
    from onnxscript import rewriter

    made = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(model))
    _drop_casts(made)
    made = rewriter.rewrite(made, _transposed())
    return ir.serde.serialize_model(rewriter.rewrite(made, _slopes_rules()))


def _drop_casts(model: Any) -> None:
    """Take out each cast to the dtype that its input has."""
    from onnxscript import ir

    outputs = {id(each) for each in model.graph.outputs}
    for node in list(model.graph):
        if node.op_type != "Cast" or node.domain not in ("", "ai.onnx"):
            continue
        (given,), (made,) = node.inputs, node.outputs
        same = given is not None and given.dtype == node.attributes["to"].as_int()
        if same and id(made) not in outputs:
            ir.convenience.replace_all_uses_with(made, given)
            model.graph.remove(node, safe=True)


def _transposed() -> Any:
    """Products with a constant, without the transpositions around them."""
    from onnxscript import ir
    from onnxscript.rewriter import pattern

    def around(op: Any, x: Any, factor: Any, first: Any, last: Any) -> Any:
        return op.Transpose(op.Mul(op.Transpose(x, perm=first), factor), perm=last)

    def product(op: Any, x: Any, factor: Any, last: Any, **_: Any) -> Any:
        value, order = _value(factor), last.as_ints()
        value = value.reshape((1,) * (len(order) - value.ndim) + value.shape)
        turned = ir.tensor(value.transpose(order), name=f"{factor.name}_{x.name}")
        return op.Mul(x, op.initializer(turned))

    def undone(context: Any, x: Any, factor: Any, first: Any, last: Any) -> bool:
        del context, x
        value, order = _value(factor), last.as_ints()
        there = [first.as_ints()[axis] for axis in order]
        known = value is not None and value.ndim <= len(order)
        return known and there == sorted(order)

    return pattern.RewriteRuleSet(
        [pattern.RewriteRule(around, product, undone)], commute=True
    )


def _slopes_rules() -> Any:
    """Sums and differences of two ReLUs as a `PRelu`."""
    from onnxscript import ir
    from onnxscript.rewriter import pattern

    def expanded(op: Any, x: Any, factor: Any) -> Any:
        return op.Add(op.Relu(x), op.Mul(op.Relu(op.Neg(x)), factor))

    def subtracted(op: Any, x: Any, factor: Any) -> Any:
        return op.Sub(op.Relu(x), op.Mul(op.Relu(op.Neg(x)), factor))

    def made(op: Any, x: Any, factor: Any, sign: int) -> Any:
        slopes = ir.tensor(_slopes(sign * _value(factor)), name=f"{x.name}_slopes")
        return op.PRelu(x, op.initializer(slopes))

    def of_sum(op: Any, x: Any, factor: Any) -> Any:
        return made(op, x, factor, -1)

    def of_difference(op: Any, x: Any, factor: Any) -> Any:
        return made(op, x, factor, 1)

    def is_constant(context: Any, x: Any, factor: Any) -> bool:
        del context
        value = _value(factor)
        rank = None if x.shape is None else len(x.shape)
        return value is not None and (rank is None or value.ndim <= rank)

    return pattern.RewriteRuleSet(
        [
            pattern.RewriteRule(expanded, of_sum, is_constant),
            pattern.RewriteRule(subtracted, of_difference, is_constant),
        ],
        commute=True,
    )


def _value(factor: Any) -> Any:
    """The numbers of a constant; None for a tensor that is computed."""
    from onnxscript import ir

    tensor = ir.convenience.get_const_tensor(factor)
    return None if tensor is None else tensor.numpy()


def _slopes(value: Any) -> Any:
    """Slopes without leading axes of length 1.

    A `PRelu` broadcasts its slopes to its input, not both to each other.
    """
    value = np.asarray(value)
    while value.ndim and value.shape[0] == 1:
        value = value[0]
    return value.reshape(value.shape or (1,))
