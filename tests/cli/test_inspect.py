import json

import pytest


def test_it_lists_path_form_role_and_shape(run, made):
    """Each rectifier stands in a line of its own."""
    lines = run("inspect", made / "model.keras").stdout.splitlines()

    first = next(line for line in lines if line.strip().startswith("first"))
    assert "Dense(activation='relu')" in first
    assert "hidden" in first
    assert "PReLU(alpha=0)" in first
    assert any(line.strip().startswith("rectified") for line in lines)


def test_json_is_the_plan(run, made):
    """--json prints the plan that Plan.from_json reads."""
    from keras_rectifiers.surgery.plan import Plan

    plan = Plan.from_json(run("inspect", made / "model.keras", "--json").stdout)

    assert [step.site.path for step in plan.steps] == ["first", "rectified"]


def test_a_model_without_relu_is_no_error(run, made):
    """A model with nothing to replace exits with 0 and says so."""
    result = run("inspect", made / "plain.keras")

    assert result.exit_code == 0
    assert "no rectifier found" in result.stdout


def test_unknown_classes_are_no_obstacle(run, made):
    """A class that is not known here is looked past: nothing is built."""
    result = run("inspect", made / "unknown.keras", "--json")

    assert len(json.loads(result.stdout)["steps"]) == 2


def test_what_is_looked_past_is_listed(run, made):
    """An unknown class has a line on the screen, a count, and an entry in the JSON."""
    screen = run("inspect", made / "unknown.keras").stdout
    data = json.loads(run("inspect", made / "unknown.keras", "--json").stdout)

    (unseen,) = data["unseen"]
    assert (unseen["reason"], unseen["layers"]) == ("custom", None)
    assert "Not inspected: 1." in screen.splitlines()[0]
    assert any(
        unseen["path"] in line and unseen["class_name"] in line
        for line in screen.splitlines()[1:]
    )


def test_selection_narrows_the_list(run, made):
    """--include and --exclude choose by path."""
    result = run("inspect", made / "model.keras", "--include", "rect*", "--json")

    plan = json.loads(result.stdout)
    assert [step["site"]["path"] for step in plan["steps"]] == ["rectified"]


def test_a_legacy_file_is_inspected_too(run, made):
    """A whole-model .h5 is read as it is, like a .keras file."""
    result = run("inspect", made / "legacy.h5", "--json")

    assert len(json.loads(result.stdout)["steps"]) == 2


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("missing.keras", "must exist"),
        ("", "folder"),
        ("only.weights.h5", "weights only"),
        ("cut.keras", "damaged"),
        ("text.keras", "which is a text"),
    ],
)
def test_what_is_no_model_is_explained(fails, made, name, part):
    """A path without a whole model gives one sentence and exit code 2."""
    assert part in fails("inspect", made / name)


def test_a_selection_that_matches_nothing_names_the_nearest(fails, made):
    """A pattern without a match is an error with the names that are there."""
    error = fails("inspect", made / "model.keras", "--include", "rectifyed")

    assert "rectified" in error


def test_an_estimate_stands_beside_the_plan(run, made):
    """--estimate adds a table of what the weights prove for the stated range."""
    result = run(
        "inspect", made / "model.keras", "--estimate", "--input-range", "0", "1"
    )

    assert "2 of 2 rectifiers to replace" in result.stdout
    assert "proven for inputs in [0, 1]" in result.stdout
    dead = next(
        line.split()[2]
        for line in result.stdout.splitlines()
        if line.split()[:2] == ["first", "8"]
    )
    assert int(dead) >= 4


def test_json_has_the_estimate_beside_the_plan(run, made):
    """--json prints the plan with the estimate under a key of its own."""
    result = run("inspect", made / "model.keras", "--estimate", "--json")

    data = json.loads(result.stdout)
    assert len(data["steps"]) == 2
    assert [each["layer"] for each in data["estimate"]["layers"]] == [
        "first",
        "rectified",
    ]


def test_a_legacy_file_is_estimated_without_keras(fresh, made):
    """--estimate of an .h5 shows the estimate alone, and loads no framework."""
    loaded = fresh(
        f"""
import json, sys
from keras_rectifiers.cli.main import main
path = {str(made / "legacy.h5")!r}
main(["inspect", path, "--estimate", "--input-range", "0", "1"], standalone_mode=False)
print(json.dumps([name in sys.modules for name in ("keras", "tensorflow")]))
"""
    )

    assert loaded == [False, False]


def test_a_model_without_relu_has_no_estimate(run, made):
    """There is nothing to estimate, and the command says so."""
    result = run("inspect", made / "plain.keras", "--estimate")

    assert result.exit_code == 0
    assert "nothing is estimated" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--input-range", "0", "1"), "use it with --estimate"),
        (("--estimate", "--input-range", "1", "0"), "LO <= HI"),
        (("--estimate", "--input-range", "0", "x"), "not a number"),
    ],
)
def test_a_range_that_means_nothing_is_a_usage_error(fails, made, arguments, part):
    """A range needs --estimate, an order, and numbers."""
    assert part in fails("inspect", made / "model.keras", *arguments)


def test_an_estimate_without_a_range_names_the_option(run, made):
    """Dashes alone do not say what would fill them."""
    bare = run("inspect", made / "model.keras", "--estimate")
    stated = run(
        *("inspect", made / "model.keras", "--estimate"), *("--input-range", "0", "1")
    )

    told = "Nothing can be proven of 2 layers (-) without the range of the inputs"
    assert told in bare.stdout
    assert "--input-range LO HI" in bare.stdout
    assert "--input-range" not in stated.stdout
