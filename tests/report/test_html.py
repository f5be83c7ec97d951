import dataclasses
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

pytest.importorskip("jinja2", reason="needs the extra `report`")
pytest.importorskip("matplotlib", reason="needs the extra `report`")

from keras_rectifiers.diagnosis.causes.explanation import Cause
from keras_rectifiers.diagnosis.causes.explanation import Explanation
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.report.html import render
from keras_rectifiers.report.html import write_report
from tests.diagnosis.causes import cases
from tests.report.diagnoses import large
from tests.report.diagnoses import layer
from tests.report.diagnoses import network
from tests.report.diagnoses import timeline


class _Page(HTMLParser):
    """Tags, attributes and text of a page, and whether its tags are closed."""

    _VOID = ("meta", "link", "br", "img", "input", "hr")

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.attributes = []
        self.words = []
        self._open = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in self._VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def _diagnosis(**options):
    return network(layer("first", 32, 8), layer("block/second", 16, 4, 0.2), **options)


def test_it_is_one_whole_page(tmp_path):
    """Every tag is closed, each section stands, and the path comes back."""
    path = write_report(_diagnosis(), tmp_path / "report.html")

    page = _Page(path.read_text(encoding="utf-8"))

    assert path == tmp_path / "report.html"
    ids = {value for name, value in page.attributes if name == "id"}
    assert {"network", "advice", "table", "layers", "layer-1", "layer-2"} <= ids
    assert "8 of 48 never fired on 1,000 samples" in page.text


def test_the_page_can_neither_load_nor_run_anything():
    """No script, no address outside, and a policy that would forbid both."""
    text = render(_diagnosis(), timeline=timeline(_diagnosis(), _diagnosis()))
    page = _Page(text)

    addresses = [v for k, v in page.attributes if k in ("href", "src", "xlink:href")]

    assert "Content-Security-Policy" in [v for _, v in page.attributes]
    assert "script" not in page.tags
    assert not {"link", "iframe", "object", "embed"} & set(page.tags)
    assert all(each.startswith(("#", "data:image/png;")) for each in addresses)
    assert not re.search(r"@import|url\((?!#)", text)
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_links_lead_to_sections():
    """Each address inside the page has its target, and no id is there twice."""
    page = _Page(render(_diagnosis(), timeline=timeline(_diagnosis(), _diagnosis())))

    ids = [value for name, value in page.attributes if name == "id"]
    links = [value[1:] for name, value in page.attributes if name == "href" and value]

    own = [each for each in ids if not re.fullmatch(r"[a-z]+[0-9a-f]{8,}", each)]
    assert len(own) == len(set(own))
    assert {link for link in links if link.startswith("layer")} <= set(ids)


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{ 7 * 7 }}{% include 'x' %}",
        "$\\frac{1}{0}$",
        "a\x00b\nc\ud800",
        "층/レイヤー",
        "x" * 5000,
        "",
    ],
)
def test_names_are_text(name):
    """Whatever a file calls its model and layers, it is shown and nothing else."""
    found = network(
        layer(name, 8, 4), layer("b", 8, 0, 0.1), model=name, unseen=(name,)
    )

    page = _Page(render(found, timeline=timeline(found, found)))

    assert not {"script", "img"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "49" not in page.text.partition("samples")[0]


def test_a_report_can_be_stored_whatever_the_names(tmp_path):
    """Half a surrogate pair cannot be encoded, and does not have to be."""
    found = network(layer("a\ud800", 8, 4))

    path = write_report(found, tmp_path / "report.html")

    assert "<h3>a?</h3>" in path.read_text(encoding="utf-8")


def test_without_an_explanation_the_verdicts_give_the_advice():
    """Dead units call for a conversion of their layers, by name and quoted."""
    found = network(layer("a[1] b", 8, 4), layer("well", 8))

    text = _Page(render(found)).text

    assert "--include 'a[[]1] b'" in text
    assert "4 of 8 units of a[1] b are dead on 1,000 samples." in text


def test_an_explanation_is_shown_in_its_order():
    """Causes with their evidence, score and remedy, instead of the verdicts' advice."""
    causes = (
        Cause("bias_shift", ("first",), 8, 0.7, ("Bias is -3.",), "Use `bias=0`."),
        Cause("unknown", ("gone",), 1, 0.1, (), "Look <b>closer</b>.", "He 2015"),
    )

    text = render(_diagnosis(), explanation=Explanation("m", "Dead.", causes))
    page = _Page(text)

    assert text.index("Bias shift") < text.index("Unknown")
    assert "score 0.70" in page.text
    assert "Bias is -3." in page.text
    assert "<code>bias=0</code>" in text
    assert "Look <b>closer</b>." in page.text
    assert "See He 2015" in page.text
    assert "keras-rectifiers convert" not in page.text


def test_a_well_network_needs_nothing():
    """No finding, no advice."""
    assert "Nothing: every unit fired" in render(network(layer("a"), layer("b")))


def test_a_model_without_rectifiers_has_a_page():
    """It says so."""
    assert "no rectifier that can be watched" in _Page(render(network())).text


def test_layers_that_hold_nan_are_shown():
    """Values that are not finite lead the advice and break no picture."""
    broken = layer("broken", 8)
    broken.statistics.not_finite[:] = 5
    broken.slopes[:] = np.nan

    page = _Page(render(network(broken), timeline=timeline(network(broken))))

    assert "8 not finite" in page.text
    assert "NaN or infinite" in page.text


def test_slopes_stand_by_depth_where_there_are_any():
    """Their section is there for PReLU, and not for ReLU."""
    with_slopes = render(_diagnosis())
    without = render(network(layer("a", 8, 2)))

    assert "Slopes below 0, from the input to the output" in with_slopes
    assert "Slopes below 0" not in without


def test_a_run_is_told_with_its_numbers():
    """Captions say what the pictures show: from so many silent units to so many."""
    before = network(layer("a", 16, 8), layer("b", 16, 4))
    after = network(layer("a", 16, 2), layer("b", 16, 4))

    text = _Page(render(after, timeline=timeline(before, after))).text

    assert "37.5% at the start, 18.8% at the end" in text
    assert "8 of 16 never fired at the start, 2 at the end." in text


def test_a_run_in_which_every_unit_fired_needs_no_picture():
    """It is told in a sentence."""
    found = network(layer("a", 16), layer("b", 16))

    text = _Page(render(found, timeline=timeline(found, found))).text

    assert (
        "2 measurements, 1 epochs, 10 steps. Every unit fired at each of them" in text
    )
    assert "All units of the network" not in text


def test_measurements_inside_an_epoch_are_told_by_steps():
    """Where epochs do not grow the axis counts training steps."""
    run = timeline(*[_diagnosis()] * 3)
    run.epochs[:] = [0, 0, 1]

    assert "training steps" in render(_diagnosis(), timeline=run)


def test_many_layers_are_folded_and_the_report_stays_small():
    """Of 49 layers, 12 stand open; 22,720 units in a run take less than 3 MB."""
    text = render(large(3), timeline=timeline(*(large(age) for age in range(4))))

    shown, folded = text.split("<details>")
    assert "37 other layers" in folded
    assert shown.count('class="card layer"') == 12
    assert len(text) < 3_000_000


def test_the_same_diagnosis_gives_the_same_page():
    """Nothing random is in it."""
    assert render(_diagnosis()) == render(_diagnosis())


def test_a_report_is_never_overwritten_unasked(tmp_path):
    """An existing file stays, until `overwrite=True`."""
    path = tmp_path / "report.html"
    path.write_text("mine")

    with pytest.raises(ArchiveError, match="must not exist"):
        write_report(_diagnosis(), path)

    assert path.read_text() == "mine"
    assert write_report(_diagnosis(), path, overwrite=True).stat().st_size > 10_000


@pytest.mark.parametrize("name", ["report.pdf", "report", "missing/report.html"])
def test_a_target_that_cannot_be_is_refused(tmp_path, name):
    """Before any work, in one sentence, and nothing is left behind."""
    with pytest.raises(ArchiveError, match="Received"):
        write_report(_diagnosis(), tmp_path / name)

    assert list(tmp_path.iterdir()) == []


_WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None  # as if it were not installed
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.report.html import render
try:
    render(Diagnosis("m", ()))
except ImportError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_without_the_extra_it_is_named(package):
    """The error says what to install."""
    run = subprocess.run(
        [sys.executable, "-c", _WITHOUT, package],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert f"`pip install {package}" in run.stderr


def test_a_dead_output_is_the_first_line_of_the_page():
    """Before the share of dead units; advice names the command that treats it."""
    end = dataclasses.replace(layer("out", 1, 1), role="output")

    text = _Page(render(network(layer("hidden", 16, 2), end))).text

    sentence = "The model's output 'out' is dead: it predicts 0 for every sample."
    assert text.index(sentence) < text.index("of the units are dead")
    assert "keras-rectifiers finetune MODEL --data DATA --out OUT" in text


def test_units_that_fire_with_the_batch_are_told_before_any_is_called_dead():
    """With the pass that mends the statistics."""
    known = cases.waking("a", peak=[1.0, 1.0, -1.0, 1.0])
    found = cases.diagnosis(known, norms=(cases.moving(),))

    text = _Page(render(found)).text

    assert "3 of 4 silent units fire with the batch's own statistics" in text
    assert "keras_rectifiers.revival.refresh_statistics(model, x)" in text


def test_the_code_of_a_remedy_is_shown():
    """Line by line, as it can be run."""
    cause = Cause(
        "unknown", ("first",), 8, 1.0, ("A number.",), "Do it.", code="a = 1\nb = a"
    )

    page = render(_diagnosis(), explanation=Explanation("net", "Why.", (cause,)))

    assert "<pre>a = 1\nb = a</pre>" in page
