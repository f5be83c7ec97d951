import io
import re

import keras
import numpy as np
import pytest
from rich.console import Console

from keras_rectifiers.conversion.verbs import convert
from keras_rectifiers.conversion.verbs import plan
from keras_rectifiers.demo.story import Row
from keras_rectifiers.demo.story import Story
from keras_rectifiers.diagnosis.diagnose import diagnose
from keras_rectifiers.errors import VerificationError
from keras_rectifiers.finetuning.outcome import Outcome
from keras_rectifiers.finetuning.result import FinetuneResult
from keras_rectifiers.finetuning.result import Tried
from keras_rectifiers.surgery.verify import verify
from keras_rectifiers.tables import Mark
from keras_rectifiers.tables import Table
from keras_rectifiers.tables import as_rich
from tests.results import every_result


def _lines(parts):
    file = io.StringIO()
    console = Console(file=file, width=160, color_system=None)
    for part in as_rich(parts):
        console.print(part)
    return [line.strip(" │┃") for line in file.getvalue().splitlines()]


def _cells(lines, first):
    line = next(line for line in lines if line.split()[:1] == [first])
    return [cell.strip() for cell in line.replace("┃", "│").split("│")]


def _diagnosed(model, x):
    return diagnose(model, x).parts(command_line=True)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu", name="first"),
        keras.layers.Dense(4, activation="relu", name="worst"),
        keras.layers.Dense(2, activation="relu", name="out"),
    ]
    made = keras.Sequential(layers, name="small")
    made.layers[0].bias.assign([-100.0] * 2 + [5.0] * 6)
    made.layers[1].bias.assign([-1000.0] * 3 + [5.0])
    return made


@pytest.fixture(scope="module")
def diagnosed(model):
    x = np.random.default_rng(0).normal(size=(50, 4)).astype("float32")
    return _lines(diagnose(model, x).parts(command_line=True))


def test_a_plan_says_what_is_replaced_and_what_is_left(model):
    """Replaced sites stand with their parameters, the others with the reason."""
    lines = _lines(plan(model, "prelu").parts())

    assert _cells(lines, "worst") == [
        "worst",
        "Dense(activation='relu')",
        "hidden",
        "4",
        "PReLU(alpha=0)",
        "4",
    ]
    assert _cells(lines, "out")[2:5] == ["output", "2", "output"]


def test_names_are_no_markup():
    """Brackets in a layer's name are shown as they are."""
    layers = [keras.layers.ReLU(name="[bold]_one"), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((4,)), *layers])

    lines = _lines(plan(model, "leaky_relu").parts())

    assert _cells(lines, "[bold]_one")[0] == "[bold]_one"


def test_the_worst_layer_comes_first(diagnosed):
    """Layers are in the order of their share of dead units."""
    rows = [line.split()[0] for line in diagnosed if line.split()[1:2] == ["│"]]

    assert rows.index("worst") < rows.index("first")


def test_a_diagnosis_counts_and_sums(diagnosed):
    """Each layer has its counts and its share, and the last line the sums."""
    assert _cells(diagnosed, "worst")[:3] == ["worst", "4", "3"]
    assert _cells(diagnosed, "worst")[-1] == "75.0%"
    total = next(line for line in diagnosed if line.startswith("all layers"))
    assert [cell.strip() for cell in total.split("│")][1] == "14"


def test_a_diagnosis_says_what_its_samples_allow(diagnosed):
    """The bound is 1 - 0.05 ** (1 / n): 5.82 % for 50 samples."""
    assert any("50 samples" in line and "5.8%" in line for line in diagnosed)


def test_the_bound_is_that_of_a_silent_unit():
    """Where every unit fires, the bound is still that of one that never did."""
    alive = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="relu")]
    )
    alive.layers[0].bias.assign([9.0] * 3)

    lines = _lines(
        diagnose(alive, np.zeros((50, 4), "float32")).parts(command_line=True)
    )

    assert any("5.8%" in line for line in lines)


def test_the_next_step_and_dead_outputs_frame_the_table():
    """The output comes first, the command to run last."""
    dead = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="relu", name="out")]
    )
    dead.layers[0].bias.assign([-9.0] * 3)

    lines = _lines(
        diagnose(dead, np.zeros((50, 4), "float32")).parts(command_line=True)
    )

    assert lines[0].startswith("The model's output 'out' is dead: it predicts 0")
    assert "Next step: keras-rectifiers finetune MODEL --data DATA" in " ".join(lines)


def test_a_model_without_rectifiers_says_so():
    """Without a rectifier there is a sentence and no empty table."""
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="plain")

    lines = _lines(
        diagnose(plain, np.zeros((3, 4), "float32")).parts(command_line=True)
    )

    assert lines == ["plain: no rectifier was found, so there are no verdicts."]


def test_a_comparison_has_a_line_for_each_model():
    """Accuracy, dead and silent units stand beside the model's name."""
    row = Row("original", 0.5, 8, 2, 4)

    lines = _lines([Story((row,), None, None, None, {}, ()).comparison])

    assert _cells(lines, "original") == [
        "original",
        "50.0%",
        "2 of 8 (25.0%)",
        "4 of 8 (50.0%)",
    ]


def _result(**given):
    return FinetuneResult(
        **{
            "model": None,
            "treatment": "revive",
            "why": "3 of 8 units are dead",
            "done": ("3 units were given new weights.",),
            "tried": (Tried("revive", "3 of 8 units are dead", "accuracy", None),),
            "plan": None,
            "skill": 0.5,
            "start_difference": 0.0,
            "before": {"loss": 1.25, "dead_fraction": 0.5},
            "after": {"loss": 0.75, "dead_fraction": 0.0},
            "history": ({}, {"accuracy": 0.875, "val_accuracy": 0.5}, {}),
            "evaluated_on": "test data",
            "kept": "epoch 2 of 3",
            "best_epoch": 2,
            **given,
        }
    )


def test_a_fine_tuning_run_has_before_and_after():
    """Metrics are numbers, and shares of units are percentages."""
    lines = _lines(_result().parts())

    assert lines[:4] == [
        "Treatment: revive (3 of 8 units are dead).",
        "3 units were given new weights.",
        "Before the first step the outputs were the original's, bit for bit.",
        "Kept: epoch 2 of 3, chosen by accuracy on the training data (0.875).",
    ]
    assert "Metrics on the test data:" in lines
    assert _cells(lines, "loss") == ["loss", "1.25", "0.75"]
    assert _cells(lines, "dead") == ["dead units (no gradient)", "50.0%", "0.0%"]


def test_what_did_not_help_says_why_and_what_next():
    """The last lines are the outcome, its likely cause and the next step."""
    outcome = Outcome(
        "at_chance", "Not rescued: chance.", "input_scale: 0..255", "Scale"
    )
    lines = _lines(_result(outcome=outcome).parts())

    assert lines[-3:] == [
        "Not rescued: chance.",
        "Likely cause: input_scale: 0..255",
        "Next: Scale",
    ]


def test_treatments_that_were_compared_are_told():
    """With the metric of each after its trial."""
    tried = (
        Tried("revive", "why", "accuracy", 0.5),
        Tried("restart", "why", "accuracy", 0.75),
    )
    given = {"chosen_on": "validation split", "kept": "a copy of the original"}
    result = _result(tried=tried, start_difference=2.0, best_epoch=0, **given)
    lines = _lines(result.parts())

    by = "by accuracy on the validation split"
    assert f"Tried, {by}: revive 0.5, restart 0.75." in lines
    assert f"Kept: a copy of the original: no epoch was better, {by}." in lines
    assert not any("bit for bit" in line for line in lines)


def test_a_proof_that_fails_lists_its_checks(model):
    """One that holds is one sentence; an error has the sentence alone."""
    slopes = convert(model, "leaky_relu", negative_slope=0.5)
    found = verify(model, slopes)

    assert len(str(verify(model, convert(model))).splitlines()) == 1
    assert str(found).splitlines()[2].startswith("check      compared  same  what")
    assert [row["same"] for row in found.rows] == [True, True, True, True, False]
    with pytest.raises(VerificationError) as error:
        found.require()
    assert "\n" not in str(error.value)


_WIDE = Table.of(
    ("path", "units", "dead share", "why"),
    [
        ("block_1/conv", "64", "12.5%", "what it computes is Python code"),
        ("block_2/conv_with_a_name", "1,024", Mark("53.1%"), "it is a gate"),
    ],
    numbers=("units", "dead share"),
    footer=("all layers", "1,088", "50.7%", ""),
)


def _words(text):
    return sorted(re.findall(r"[^\s│┃━┏┓┡┩└┘├┤┬┴┼╇╈─;:]+", text))


@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize("width", [200, 80, 60, 50, 40, 30])
def test_no_word_is_broken_or_lost_at_any_width(width, framed):
    """Every word of the table is on the screen, whole, and no line is too long."""
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(_WIDE.rich(framed=framed))
    shown = file.getvalue()

    assert max(map(len, shown.splitlines())) <= width
    there = set(_words(shown))
    cells = " ".join(" ".join(row) for row in (*_WIDE.rows, _WIDE.footer, _WIDE.head))
    assert set(_words(cells)) <= there


def test_the_form_follows_the_width():
    """A frame, then none, then each row in lines of its own."""
    shown = {}
    for width in (100, 50, 30):
        file = io.StringIO()
        Console(file=file, width=width, color_system=None).print(_WIDE.rich())
        shown[width] = file.getvalue()

    assert "┃" in shown[100]
    assert "┃" not in shown[50]
    assert "path" in shown[50].splitlines()[1]
    assert shown[30].startswith("path block_1/conv\n  units: 64; dead share: ")


@pytest.mark.parametrize("width", [60, 40])
def test_words_of_results_stay_whole(width, tmp_path):
    """Every table of every result at the width of a narrow window; columns have names.

    Where there is no room for a table a row is a list, and its cells need names, too.
    """
    for name, result in every_result(tmp_path).items():
        for part in result.parts():
            if isinstance(part, str):
                continue
            assert all(part.head), name
            file = io.StringIO()
            Console(file=file, width=width, color_system=None).print(part.rich())
            there = set(_words(file.getvalue()))
            cells = (each for row in (part.head, *part.rows) for each in row)
            words = {word for each in cells for word in _words(each)}

            assert {each for each in words if len(each) < width - 2} <= there, name
