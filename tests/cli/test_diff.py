"""`keras-rectifiers diff`."""

import json


def test_equal_models_exit_with_0(run, made):
    """Nothing differs from itself."""
    result = run("diff", made / "model.keras", made / "model.keras")

    assert result.exit_code == 0, result.output
    assert "are the same: 2 rectifiers and 6 arrays compared." in result.stdout


def test_different_models_exit_with_1(run, made):
    """What differs stands on the screen, kind by kind."""
    assert run("convert", made / "model.keras", "c.keras").exit_code == 0

    result = run("diff", made / "model.keras", "c.keras")

    assert result.exit_code == 1, result.output
    assert "c.keras differ: 2 in rectifiers" in result.stdout
    assert "rectified ReLU() -> PReLU()" in " ".join(result.stdout.split())


def test_json_says_what_differs(run, made):
    """The same for programs; the exit code stays."""
    result = run("diff", made / "uncompiled.keras", made / "model.keras", "--json")

    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["same"] is False
    assert [each["name"] for each in found["weights"]] == ["first/bias"]
    assert {each["path"] for each in found["compiled"]} >= {"loss", "optimizer"}


def test_errors_are_one_sentence(fails, made):
    """Bad input exits with 2, which is no difference."""
    good = made / "model.keras"
    assert "no-such" in fails("diff", good, "no-such.keras")
    assert "cut.keras" in fails("diff", made / "cut.keras", good)
    assert "text.keras" in fails("diff", good, made / "text.keras")
