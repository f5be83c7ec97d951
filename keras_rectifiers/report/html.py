"""A diagnosis as one page of HTML that needs nothing else.

Names come from untrusted files: everything is escaped, and the page's own policy
forbids loading or running anything.
"""

from __future__ import annotations

import datetime as dt
import functools
import importlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from keras_rectifiers import _version
from keras_rectifiers import installing
from keras_rectifiers.diagnosis import headlines
from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.files import remote
from keras_rectifiers.files import writing as files
from keras_rectifiers.report import view
from keras_rectifiers.report.advice import advice
from keras_rectifiers.shares import percent
from keras_rectifiers.shares import stated

if TYPE_CHECKING:
    from keras_rectifiers.diagnosis.timeline import Timeline

#: Most layers whose sections are open.
_SHOWN = 12
#: A layer whose units always fired in more of the samples needs no map of its own.
_ALWAYS = 0.99


@remote.urls(targets=("path",))
def write_report(
    diagnosis: Diagnosis,
    path: str | os.PathLike[str],
    *,
    timeline: Timeline | None = None,
    explanation: Any = None,
    title: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a diagnosis as one self-contained HTML file.

    It shows the network colored by its share of dead units, what to do, each layer's
    firing rates, and learned slopes by depth; with a timeline also what each unit did
    over the run. It follows the light or dark setting of the reader, is readable on a
    phone, has no scripts, and loads nothing.

    Args:
        diagnosis: What was found.
        path: The file to write; its name ends in `.html`.
        timeline: What the units did in a training run, or None.
        explanation: Why units are silent: the result of `keras_rectifiers.explain`.
            With None, the advice follows only from the verdicts.
        title: Heading of the page; default the name of the model.
        overwrite: Whether an existing file may be replaced. Default False.

    Returns:
        The path.

    Raises:
        ArchiveError: The file exists or cannot be written, or its name does not end
            in `.html`.
        ImportError: jinja2 or matplotlib is not installed.

    Example:
        ```python
        diagnosis = keras_rectifiers.diagnose(model, x)
        keras_rectifiers.report.write_report(diagnosis, "report.html")
        ```
    """
    target = check_report_target(path, overwrite=overwrite)
    page = render(diagnosis, timeline=timeline, explanation=explanation, title=title)
    with files.replacing(target, overwrite=overwrite, named=False) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")
    return target


def check_report_target(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Refuse a target that cannot be written, before any work is done for it.

    Args:
        path: The file to write.
        overwrite: Whether an existing file may be replaced.

    Raises:
        ArchiveError: It does not end in `.html`, exists, or cannot be written.
        ImportError: If jinja2 or matplotlib is not installed.
    """
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise ArchiveError(
            f"A report must be written as HTML. Received: the target {str(target)!r}. "
            "Choose a file name that ends in .html."
        )
    files.check_target(None, target, overwrite=overwrite)
    _environment()
    return target


def render(
    diagnosis: Diagnosis,
    *,
    timeline: Timeline | None = None,
    explanation: Any = None,
    title: str | None = None,
) -> str:
    """The page of `write_report` as text.

    Args:
        diagnosis: What was found.
        timeline: What the units did in a training run, or None.
        explanation: Why units are silent, or None.
        title: Heading of the page.
    """
    if timeline is not None and not timeline.layers:
        timeline = None
    layers = view.layer_views(diagnosis)
    page = _environment().get_template("report.html.j2")
    return page.render(
        title=title or diagnosis.model,
        diagnosis=diagnosis,
        told=[*headlines.outputs(diagnosis), headlines.waking(diagnosis)],
        silent=diagnosis.count(verdicts.DEAD, verdicts.LEAKING),
        samples=max((each.statistics.samples for each in diagnosis.layers), default=0),
        confidence=diagnosis.layers[0].confidence if layers else None,
        shares=view.shares(diagnosis),
        groups=view.groups(layers),
        layers=layers,
        anchors={layer.name: layer.anchor for layer in layers},
        folded=_folded(layers),
        advice=advice(diagnosis, explanation),
        explained=explanation is not None,
        meanings={word: view.MEANINGS[word] for word in view.ORDER},
        timeline=timeline,
        version=_version.__version__,
        made_on=dt.datetime.now(dt.UTC).date().isoformat(),
        **_pictures(diagnosis, timeline),
    )


def _folded(layers: list[view.LayerView]) -> list[str]:
    """Names of the layers that are folded: all but the worst, where there are many.

    Without many layers nothing is folded.
    """
    if len(layers) <= _SHOWN:
        return []
    worst = sorted(
        (layer for layer in layers if layer.finding),
        key=lambda layer: (layer.dead_fraction, layer.silent / layer.units),
        reverse=True,
    )
    shown = {layer.name for layer in worst[:_SHOWN]}
    return [layer.name for layer in layers if layer.name not in shown]


def _pictures(diagnosis: Diagnosis, timeline: Timeline | None) -> dict[str, Any]:
    from keras_rectifiers.report import figures  # noqa: PLC0415 - needs matplotlib

    found: dict[str, Any] = {
        "rates": {each.layer: figures.firing_rates(each) for each in diagnosis.layers},
        "maps": {},
        "over_time": None,
        "layers_over_time": None,
        "slopes": figures.slopes(diagnosis, timeline),
        "peaks": figures.peaks(diagnosis),
    }
    if timeline is None:
        return found
    found["maps"] = {
        each.layer: figures.units_over_time(each, timeline)
        for each in timeline.layers
        if (each.fired_fraction < _ALWAYS).any()
    }
    if len(timeline) > 1 and view.ever_silent(timeline):
        found["over_time"] = figures.verdicts_over_time(timeline)
        if len(timeline.layers) > 1:
            found["layers_over_time"] = figures.layers_over_time(timeline)
    return found


@functools.cache
def _environment() -> Any:
    from keras_rectifiers import plots  # noqa: PLC0415 - needs matplotlib

    try:
        jinja2 = importlib.import_module("jinja2")
    except ImportError as error:
        raise ImportError(
            "A report requires jinja2. Install it with "
            f"`{installing.command('report')}`."
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_rectifiers.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    environment.filters["short"] = plots.short
    environment.filters["percent"] = percent
    environment.filters["stated"] = stated
    return environment


def _code(text: str) -> Any:
    """Escaped text, with text in backticks as code."""
    markup = importlib.import_module("markupsafe")
    parts = re.split(r"`([^`]+)`", text)
    return markup.Markup("").join(
        markup.Markup("<code>{}</code>").format(part) if index % 2 else part
        for index, part in enumerate(parts)
    )
