"""The pieces of the replications: what they train, how they judge, what they print."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest

_BENCHMARKS = str(Path(__file__).parents[1] / "benchmarks")
sys.path.insert(0, _BENCHMARKS)
from papers import images  # noqa: E402
from papers import narrow  # noqa: E402
from papers import ranks  # noqa: E402
from papers import tables  # noqa: E402

sys.path.remove(_BENCHMARKS)


def test_narrow_networks_are_judged_by_their_shape():
    """Dead, of next to no range, flat on half the domain, and right."""
    target = np.abs(narrow.GRID)
    outputs = np.concatenate(
        [
            np.full_like(target, 0.8),
            0.8 + 0.005 * narrow.GRID,
            np.maximum(narrow.GRID, 0),
            target,
        ],
        axis=1,
    )

    assert narrow.judge(outputs, target) == {
        "dead": 1,
        "constant": 2,
        "part": 1,
        "learned": 1,
    }


def test_narrow_networks_side_by_side_do_not_touch_each_other(monkeypatch):
    """Training the first alone gives what training it beside a second gives."""
    monkeypatch.setattr(narrow, "DEPTH", 3)
    arm = narrow.ARMS["PReLU from 0.25, He"]
    pair, alone = narrow.build(arm, 2, 0), narrow.build(arm, 1, 0)
    for weight, both in zip(alone.weights, pair.weights, strict=True):
        weight.assign(both[:1])
    x = np.linspace(-1, 1, 64, dtype="float32")[:, None]
    for model in (pair, alone):
        model.compile(keras.optimizers.Adam(0.01), narrow.sum_of_losses)
        model.fit(x, np.abs(x), batch_size=16, epochs=2, shuffle=False, verbose=0)

    np.testing.assert_allclose(
        pair.predict(x, verbose=0)[:, :1],
        alone.predict(x, verbose=0),
        rtol=1e-3,
        atol=1e-4,
    )


@pytest.mark.parametrize("arm", ["ReLU, RAI", "PReLU from 0, He"])
def test_each_start_can_be_trained(arm, monkeypatch):
    """No count exceeds the number of networks, and what is dead is constant."""
    monkeypatch.setattr(narrow, "SAMPLES", 128)
    monkeypatch.setattr(narrow, "DEPTH", 4)

    counts = narrow.train("|x|", arm, networks=10, epochs=1)

    assert counts["networks"] == 10
    assert 0 <= counts["dead"] <= counts["constant"]
    assert counts["constant"] + counts["part"] <= 10


def test_convnets_of_a_seed_start_alike():
    """Whatever the rectifier, the kernels are the same; another seed has others."""
    relu, prelu, other = (
        keras.ops.convert_to_numpy(images.build(name, seed).layers[0].kernel)
        for name, seed in (("ReLU", 0), ("PReLU", 0), ("ReLU", 1))
    )

    np.testing.assert_array_equal(relu, prelu)
    assert np.abs(relu - other).max() > 0


@pytest.mark.parametrize("rectifier", ["PReLU", "RReLU"])
def test_a_convnet_reports_accuracies_and_slopes(rectifier, monkeypatch):
    """On noise, with one slope for each layer of PReLU."""
    rng = np.random.default_rng(0)
    shape = (64, images.SIDE, images.SIDE, 3)
    noise = rng.normal(size=shape).astype("float32"), rng.integers(0, 10, 64)
    monkeypatch.setattr(images, "CONVOLUTIONS", images.CONVOLUTIONS[:2])
    monkeypatch.setattr(images, "data", lambda: {"train": noise, "test": noise})

    cell = images.train(rectifier, epochs=1, seed=0)

    assert cell["test"] == pytest.approx(cell["train"])
    assert 0 <= cell["test"] <= 1
    slopes = cell.get("slopes", [])
    assert len(slopes) == (len(images.CONVOLUTIONS) if rectifier == "PReLU" else 0)


@pytest.mark.parametrize(
    ("first", "second", "rho"),
    [
        ([1, 2, 3], [5, 7, 30], 1),
        ([1, 2, 3], [3, 2, 1], -1),
        ([1, 1, 2], [1, 1, 0], -1),
    ],
)
def test_spearman_compares_orders(first, second, rho):
    """The same, the opposite, and with a tie."""
    assert ranks.spearman(first, second) == pytest.approx(rho)


def test_the_tables_give_the_papers_figure_beside_ours(capsys):
    """One row for each cell, with what the paper says."""
    counts = {"networks": 10, "born": 8, "dead": 9, "constant": 9, "part": 1}
    tables.collapse({("x sin 5x", "ReLU, He"): {**counts, "learned": 0}})
    cells = {"0": {"test": 0.5, "train": 0.9, "slopes": [0.4, 0.3, 0.2]}}
    tables.slopes(cells)
    tables.order({"ReLU": cells, "RReLU": {"0": {"test": 0.55, "train": 0.8}}})

    text = capsys.readouterr().out
    assert "| 100.0% (69% to 100%) | 0.0% (0% to 31%) | 91.9 % |" in text
    assert "slope with depth: -1.00" in text
    assert "| RReLU | 1 | 45.00 ± 0.00 % | -5.00 ± 0.00 | 20.00 % | 11.19 % |" in text
