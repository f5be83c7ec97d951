import json

import keras
import pytest

from keras_rectifiers.demo import story as demo
from keras_rectifiers.demo.story import FILES
from keras_rectifiers.demo.story import FINETUNED


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One whole run of the demo, shown on the screen, then as JSON; its folder."""
    from click.testing import CliRunner

    from keras_rectifiers.cli.main import main

    folder = tmp_path_factory.mktemp("demo") / "out"
    whole = demo.run
    stories = []

    def recorded(*args, **options):
        stories.append(whole(*args, **options))
        return stories[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "run", recorded)
        screen = CliRunner().invoke(main, ["demo", "--out", str(folder)])
        assert screen.exit_code == 0, screen.output
        patch.setattr(demo, "run", lambda *_, **__: stories[0])
        again = ["demo", "--out", str(folder), "--force", "--json"]
        as_json = CliRunner().invoke(main, again)
    assert as_json.exit_code == 0, as_json.output
    return screen, as_json, folder


@pytest.fixture(scope="module")
def story(runs):
    """The result of the run as JSON, and its folder."""
    return json.loads(runs[1].stdout), runs[2]


def test_the_original_is_really_dying(story):
    """Most hidden units of the shipped model are dead, and it is hurt, not lost."""
    original = story[0]["models"][0]

    assert 0.4 < original["dead"] / original["units"] < 0.85
    assert 0.3 < original["accuracy"] < 0.8


def test_the_converted_model_is_the_same_function(story):
    """The conversion is bit-equal: accuracy and units are those of the original."""
    original, converted = story[0]["models"][:2]

    assert story[0]["verification"]["bit_equal"]
    assert {**converted, "model": ""} == {**original, "model": ""}


def test_fine_tuning_brings_units_back(story):
    """PReLU has no dead unit, fewer silent ones, and beats ReLU trained alike."""
    original, _, prelu, relu, _ = story[0]["models"]

    assert prelu["dead"] == 0
    assert prelu["silent"] < relu["silent"] <= original["silent"]
    assert prelu["accuracy"] > relu["accuracy"] > original["accuracy"]


def test_the_recipe_is_better_than_either(story):
    """What `finetune` chooses by itself brings the network back."""
    original, _, prelu, relu, rescued = story[0]["models"]

    assert rescued["accuracy"] > max(prelu["accuracy"], relu["accuracy"]) + 0.02
    assert rescued["accuracy"] > 0.9 > original["accuracy"]
    assert rescued["dead"] < 0.2 * rescued["units"]


def test_both_runs_are_shown_by_epoch(story):
    """Both runs have as many epochs, each with the share of silent units."""
    epochs = story[0]["epochs"]

    assert len(epochs["PReLU"]) == len(epochs["ReLU"]) == 10
    assert all("silent_fraction" in logs for logs in epochs["PReLU"])


def test_everything_is_left_in_the_folder(story):
    """The folder has the models and the images, and the result loads."""
    assert sorted(FILES) == sorted(path.name for path in story[1].iterdir())
    assert keras.saving.load_model(story[1] / FINETUNED).compiled


def test_a_second_run_replaces_nothing(fails, story):
    """A folder with the files of the demo is refused without --force."""
    before = {path: path.stat().st_mtime_ns for path in story[1].iterdir()}

    assert "--force" in fails("demo", "--out", story[1])
    assert before == {path: path.stat().st_mtime_ns for path in story[1].iterdir()}


def test_a_file_is_no_folder(fails, tmp_path):
    """A file as --out is refused."""
    (tmp_path / "out").write_text("mine")

    assert "--out" in fails("demo", "--out", "out")


def test_the_screen_shows_one_comparison(runs):
    """Without --json one table compares the four models."""
    result = runs[0]

    lines = result.stdout.splitlines()
    start = next(i for i, line in enumerate(lines) if "test accuracy" in line)
    shown = " ".join(lines[start:])
    for text in ("original (ReLU)", "converted (PReLU", "fine-tuned PReLU", "Dead:"):
        assert text in shown
    assert "PReLU: epoch 1/10" in result.stderr
