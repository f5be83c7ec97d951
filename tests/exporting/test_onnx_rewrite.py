"""A `PRelu` in place of five operations, whatever an exporter puts between them."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from keras_rectifiers.exporting.writers import onnx_rewrite  # noqa: E402

_CHANNELS_FIRST, _CHANNELS_LAST = [0, 3, 1, 2], [0, 2, 3, 1]
_SLOPES = np.random.default_rng(0).uniform(0.1, 0.4, (3, 4, 2)).astype("float32")
_FLOAT = onnx.TensorProto.FLOAT


def _node(operation, inputs, output, **attributes):
    return onnx.helper.make_node(operation, inputs, [output], **attributes)


def _model(*nodes, shape=(None, 2, 3, 4), factor=-_SLOPES, outputs=("y",)):
    """A graph of `x` and the constant `c`."""
    ports = [
        onnx.helper.make_tensor_value_info(name, _FLOAT, shape)
        for name in ("x", *outputs)
    ]
    constants = [onnx.numpy_helper.from_array(np.asarray(factor, "float32"), "c")]
    graph = onnx.helper.make_graph(nodes, "g", ports[:1], ports[1:], constants)
    opset = [onnx.helper.make_opsetid("", 18)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)


def _operations(model):
    return [node.op_type for node in model.graph.node]


def _rewritten(model):
    """What the rewriter makes of a model; it is valid, and gives the same."""
    from onnx.reference import ReferenceEvaluator

    made = onnx_rewrite.rewritten(model)

    onnx.checker.check_model(made, full_check=True)
    x = np.random.default_rng(1).normal(size=(5, 2, 3, 4)).astype("float32")
    before, after = (ReferenceEvaluator(e).run(None, {"x": x}) for e in (model, made))
    for a, b in zip(before, after, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    return made


def _around(first, last, product):
    """`relu(x) + c * relu(-x)` with the product between two transpositions."""
    return (
        _node("Relu", ["x"], "positive"),
        _node("Neg", ["x"], "turned"),
        _node("Relu", ["turned"], "negative"),
        _node("Transpose", ["negative"], "there", perm=first),
        _node("Mul", product, "scaled"),
        _node("Transpose", ["scaled"], "back", perm=last),
        _node("Add", ["positive", "back"], "y"),
    )


@pytest.mark.parametrize("product", [["there", "c"], ["c", "there"]])
@pytest.mark.parametrize("slopes", [_SLOPES, _SLOPES[:1], _SLOPES[:, :1, :1]])
def test_transpositions_around_slopes_go_into_them(product, slopes):
    """Slopes for each position, or for positions of one axis."""
    made = _rewritten(
        _model(*_around(_CHANNELS_LAST, _CHANNELS_FIRST, product), factor=-slopes)
    )

    assert _operations(made) == ["PRelu"]


def test_transpositions_that_do_not_undo_each_other_stay():
    """The sum is then one of other positions."""
    shape = (None, 2, 2, 2)
    nodes = _around([0, 2, 3, 1], [0, 2, 3, 1], ["there", "c"])
    model = _model(*nodes, shape=shape, factor=-_SLOPES[:2, :2])

    made = onnx_rewrite.rewritten(model)

    assert sorted(_operations(made)) == sorted(_operations(model))


def test_a_product_that_others_read_stays():
    """Another output wants it as it is."""
    nodes = _around(_CHANNELS_LAST, _CHANNELS_FIRST, ["there", "c"])
    kept = _node("Identity", ["back"], "z")

    made = _rewritten(_model(*nodes, kept, outputs=("y", "z")))

    assert "Mul" in _operations(made)


def test_casts_to_the_dtype_that_is_there_go():
    """Torch's exporter writes one for each layer."""
    nodes = (
        _node("Cast", ["x"], "a", to=_FLOAT),
        _node("Relu", ["a"], "positive"),
        _node("Neg", ["a"], "turned"),
        _node("Cast", ["turned"], "b", to=_FLOAT),
        _node("Cast", ["b"], "d", to=_FLOAT),
        _node("Relu", ["d"], "negative"),
        _node("Mul", ["c", "negative"], "scaled"),
        _node("Add", ["positive", "scaled"], "sum"),
        _node("Cast", ["sum"], "y", to=_FLOAT),
    )

    made = _rewritten(_model(*nodes, factor=[[[-0.25]], [[-0.5]]]))

    assert _operations(made) == ["PRelu", "Cast"]  # the last one names the output


def test_casts_to_another_dtype_stay():
    """They round."""
    nodes = (
        _node("Cast", ["x"], "a", to=onnx.TensorProto.FLOAT16),
        _node("Cast", ["a"], "y", to=_FLOAT),
    )

    assert _operations(_rewritten(_model(*nodes))) == ["Cast", "Cast"]
