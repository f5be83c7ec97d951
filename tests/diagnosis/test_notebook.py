from tests.report.diagnoses import layer
from tests.report.diagnoses import network


def test_a_notebook_shows_a_table():
    """Layers, counts and the total, with the headline above."""
    markup = network(layer("first", 8, 6), layer("second", 8, 0))._repr_html_()

    assert markup.count("<tr>") == 4
    assert "6 of 16 units are dead (37.5%)" in markup
    assert "75.0%" in markup


def test_names_are_text_in_a_notebook():
    """A name cannot become markup."""
    name = "<script>alert(1)</script>"

    markup = network(layer(name, 8, 1), model=name, unseen=(name,))._repr_html_()

    assert "<script" not in markup
    assert markup.count("&lt;script&gt;") == 3


def test_a_diagnosis_without_layers_says_so():
    """In a notebook too, and escaped."""
    markup = network(model="<i>")._repr_html_()

    assert "no rectifier" in markup
    assert "<i>" not in markup


def test_a_prompt_shows_the_table_too():
    """`repr` is what `print` shows, not the arrays inside."""
    found = network(layer("first", 8, 6))

    assert repr(found) == str(found)
    assert "array" not in repr(found)
