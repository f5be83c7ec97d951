"""The report as people see it: in a real browser, light and dark, large and small."""

import pytest

pytest.importorskip("jinja2", reason="needs the extra `report`")
pytest.importorskip("matplotlib", reason="needs the extra `report`")
pytest.importorskip("PIL", reason="needs the extra `images`")

from keras_rectifiers.report.html import write_report
from tests.report import browser as chromium
from tests.report.diagnoses import large
from tests.report.diagnoses import layer
from tests.report.diagnoses import network
from tests.report.diagnoses import timeline

pytestmark = pytest.mark.skipif(
    chromium.PROGRAM is None, reason="needs chromium or google-chrome"
)
LIGHT_PAGE, DARK_PAGE = (247, 246, 243), (18, 20, 24)
LIGHT_DEAD, DARK_DEAD = (201, 71, 43), (236, 106, 74)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One browser for all tests of this module."""
    with chromium.Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report with everything in it: dead, leaking and well layers, and a run."""
    before = network(
        layer("first", 32, 2, peaks=True),
        layer("block/gone", 16, 16, peaks=True),
        layer("block/learned", 64, 20, 0.2, peaks=True),
    )
    after = network(
        layer("first", 32, peaks=True),
        layer("block/gone", 16, 16, peaks=True),
        layer("block/learned", 64, 5, 0.25, peaks=True),
        unseen=("inside/a_loop",),
    )
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(after, path, timeline=timeline(before, after, after))


def _share(picture, color):
    """Share of the pixels of a picture that have a color, but for rounding."""
    close = 0
    for count, found in picture.getcolors(picture.width * picture.height):
        if max(abs(a - b) for a, b in zip(found, color, strict=True)) <= 2:
            close += count
    return close / (picture.width * picture.height)


@pytest.mark.parametrize(
    ("width", "dark"), [(1200, False), (1200, True), (390, False), (390, True)]
)
def test_the_page_is_seen_without_an_error(browser, report, width, dark):
    """No complaint, nothing loaded, the right page color, dead layers in red."""
    page = browser.open(report, width=width, dark=dark)

    picture = page.picture()

    assert page.complaints == []
    assert {url.partition(":")[0] for url in page.requests} <= {"file", "data"}
    assert picture.getpixel((2, 2)) == (DARK_PAGE if dark else LIGHT_PAGE)
    assert 0.2 < _share(picture, DARK_PAGE if dark else LIGHT_PAGE) < 0.95
    assert _share(picture, DARK_DEAD if dark else LIGHT_DEAD) > 0.002
    assert len(picture.getcolors(picture.width * picture.height)) > 500


@pytest.mark.parametrize("width", [320, 390, 768, 1200])
def test_nothing_hangs_over_the_edge(browser, report, width):
    """The page scrolls down only; tables and wide pictures scroll in themselves."""
    page = browser.open(report, width=width)

    assert page.value("document.documentElement.scrollWidth") <= width


def test_very_long_names_fit_on_a_phone(browser, tmp_path):
    """A name of a thousand letters is broken or cut."""
    name = "a" * 1000
    found = network(layer(name, 8, 8), layer(f"b/{name}", 8), model=name)
    path = write_report(found, tmp_path / "long.html", timeline=timeline(found, found))

    page = browser.open(path, width=390)

    assert page.value("document.documentElement.scrollWidth") <= 390


def test_text_is_large_enough_on_a_phone(browser, report):
    """No text of a picture is below 7 pixels, and no other below 10."""
    page = browser.open(report, width=390)

    smallest = page.value(
        "Math.min(...[...document.querySelectorAll('svg text')].map("
        "text => parseFloat(getComputedStyle(text).fontSize)"
        " * text.getScreenCTM().a).filter(size => size > 0))"
    )
    other = page.value(
        "Math.min(...[...document.querySelectorAll('main :not(svg *)')].map("
        "each => parseFloat(getComputedStyle(each).fontSize)))"
    )

    assert smallest >= 7
    assert other >= 10


def test_a_dead_layer_has_the_color_of_death(browser, report):
    """The cell of a layer that is dead throughout is as red as the scale goes."""
    page = browser.open(report, width=1200)
    cell = "document.querySelector('a.cell[title=\"block/gone\"]')"

    x, y, height = page.value(
        f"(({{x, y, height}}) => [x, y, height])({cell}.getBoundingClientRect())"
    )
    pixel = page.picture().getpixel((round(x + 3), round(y + height / 2)))

    assert max(abs(a - b) for a, b in zip(pixel, LIGHT_DEAD, strict=True)) <= 2
    assert page.value(f"getComputedStyle({cell}).color") == "rgb(255, 255, 255)"


def test_the_reader_can_choose_light_or_dark(browser, report):
    """The switch works without any script."""
    page = browser.open(report, width=1200)
    assert page.value("document.scripts.length") == 0

    page.value("document.querySelector('label[for=dark]').click()")

    assert page.picture().getpixel((2, 2)) == DARK_PAGE


def test_pictures_follow_the_page(browser, report):
    """Text in a picture is dark on light and light on dark."""
    color = "getComputedStyle(document.querySelector('svg text')).fill"

    light = browser.open(report, width=1200).value(color)
    dark = browser.open(report, width=1200, dark=True).value(color)

    assert (light, dark) == ("rgb(102, 109, 120)", "rgb(160, 166, 177)")


def test_a_link_to_a_folded_layer_opens_it(browser, tmp_path):
    """A cell of the overview leads to its layer, though it stands folded."""
    found = network(layer("bad", 8, 8), *(layer(f"well_{n}", 64) for n in range(14)))
    page = browser.open(write_report(found, tmp_path / "many.html"), width=1200)
    folded = "document.querySelector('details').open"
    assert not page.value(folded)

    page.value("document.querySelector('a.cell[title=\"well_3\"]').click()")

    assert page.value(
        f"new Promise(done => setTimeout(() => done({folded}), 500))",
    )


def test_names_are_text_to_the_browser(browser, tmp_path):
    """What a hostile name says is shown, and neither run nor loaded."""
    hostile = "<img src=http://127.0.0.1/x onerror=alert(1)><script>alert(2)</script>"
    found = network(
        layer(hostile, 8, 4), layer("$x$ \" ' & {{ 7 * 7 }}", 8), model=hostile
    )
    path = write_report(found, tmp_path / "x.html", timeline=timeline(found, found))

    page = browser.open(path, width=1200)

    assert page.complaints == []
    assert [url for url in page.requests if url.startswith("http")] == []
    assert page.value("document.querySelectorAll('main img, script').length") == 0
    assert page.value("document.querySelector('h1').textContent").startswith(hostile)
    assert "{{ 7 * 7 }}" in page.value("document.querySelector('.network').textContent")


def test_a_report_as_large_as_resnet50s_opens(browser, tmp_path):
    """49 rectifiers, 22,720 units and a run: small, whole and without complaint."""
    run = timeline(*(large(age) for age in range(6)))
    path = write_report(large(5), tmp_path / "large.html", timeline=run)

    page = browser.open(path, width=390)

    assert path.stat().st_size < 3_000_000
    assert page.complaints == []
    assert page.value("document.querySelectorAll('.cell').length") == 49
    assert page.value("document.documentElement.scrollWidth") <= 390
