"""`keras-rectifiers convert` of a folder of models: each in another process."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import tempfile
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from keras_rectifiers.cli.converting import Asked
from keras_rectifiers.cli.converting import carry_out
from keras_rectifiers.cli.failures import GIVEN
from keras_rectifiers.cli.failures import sentence
from keras_rectifiers.cli.progress import bar
from keras_rectifiers.cli.screen import say
from keras_rectifiers.cli.screen import show
from keras_rectifiers.cli.screen import show_json
from keras_rectifiers.cli.workers import Crash
from keras_rectifiers.cli.workers import results
from keras_rectifiers.conversion.model_folder import models_in
from keras_rectifiers.conversion.model_folder import name_of_target
from keras_rectifiers.conversion.targets import HDF5
from keras_rectifiers.conversion.targets import MODEL
from keras_rectifiers.conversion.where_it_opens import opens
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.files import remote
from keras_rectifiers.files.leftovers import new_folder
from keras_rectifiers.files.writing import check_model_target
from keras_rectifiers.files.writing import put_in_place

CONVERTED, UNCHANGED, FAILED = "converted", "unchanged", "failed"


@dataclasses.dataclass(frozen=True)
class Job:
    """One model of a folder."""

    #: Its path in the folder.
    name: str
    source: Path
    #: What it becomes; None for the plan alone.
    target: Path | None
    #: Where a process writes it first.
    staged: Path | None


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of one model of a folder."""

    outcome: str
    #: One sentence: what was done, or what is wrong.
    said: str
    #: What `convert --json` prints for the model alone; empty where it failed early.
    result: dict[str, Any] = dataclasses.field(default_factory=dict)
    #: Where the file opens.
    opens: str = ""
    #: Lines for stderr.
    messages: tuple[str, ...] = ()

    def to_dict(self, task: Job) -> dict[str, Any]:
        """The model's object in `--json`."""
        failed = self.outcome == FAILED
        nothing = {"plan": None, "verification": None}
        return {
            "source": str(task.source),
            "outcome": self.outcome,
            "error": self.said if failed else None,
            **nothing,
            **self.result,
            "target": None if failed or task.target is None else str(task.target),
        }


def convert_folder(
    ctx: click.Context,
    source: Path,
    target: Path | None,
    asked: Asked,
    *,
    jobs: int,
    as_json: bool,
) -> bool:
    """Convert the models of a folder, and show what became of each.

    Args:
        ctx: The context of the command.
        source: The folder.
        target: The folder to write to; None for the plans alone.
        asked: What is to be done with each model.
        jobs: Processes at the same time.
        as_json: Whether the result is shown as JSON.

    Returns:
        Whether all models were converted.

    Raises:
        ArchiveError: There is no model, or the target is not a folder.
    """
    if target is not None:
        _check_folders(source, target)
    names = models_in(source, leave_out=target)
    with _stage(target) as stage:
        tasks = [
            _task(source, target, stage, name, number)
            for number, name in enumerate(names)
        ]
        reports = _shown(
            tasks, _reports(ctx, tasks, asked, jobs, stage), as_json=as_json
        )
    counts = Counter(each.outcome for each in reports)
    if as_json:
        keys = (CONVERTED, UNCHANGED, FAILED)
        summary = {"models": len(tasks), **{key: counts[key] for key in keys}}
        pairs = zip(tasks, reports, strict=True)
        shown = [report.to_dict(task) for task, report in pairs]
        show_json({"models": shown, "summary": summary})
    else:
        show([_summary(counts, target), *_openings(reports)])
    return not counts[FAILED]


def _check_folders(source: Path, target: Path) -> None:
    is_file = target.exists() and not target.is_dir()
    if is_file or (target.suffix in (*MODEL, *HDF5) and not target.exists()):
        what = "the file" if is_file else "the name of a file,"
        raise ArchiveError(
            "A folder of models must be converted into a folder. Received: "
            f"{what} {str(target)!r}. Choose a new folder."
        )
    if target.exists() and target.samefile(source):
        raise ArchiveError(
            f"The target must not be the source folder. Received: {str(target)!r} for "
            "both. Choose a new folder."
        )


@contextlib.contextmanager
def _stage(target: Path | None) -> Iterator[Path]:
    """A folder for what is not finished, which vanishes with what was in it."""
    if target is None:
        with tempfile.TemporaryDirectory(prefix="keras-rectifiers-") as name:
            yield Path(name)
        return
    with _made(target), new_folder(target / "models") as folder:
        yield folder


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; those that stay empty are removed again."""
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for each in new:
            with contextlib.suppress(OSError):  # something is in it
                each.rmdir()


def _task(
    source: Path, target: Path | None, stage: Path, name: Path, number: int
) -> Job:
    if target is None:
        return Job(name.as_posix(), source / name, None, None)
    made = name_of_target(name)
    staged = stage / str(number) / made.name
    return Job(name.as_posix(), source / name, target / made, staged)


def _reports(
    ctx: click.Context,
    tasks: Sequence[Job],
    asked: Asked,
    jobs: int,
    stage: Path,
) -> Iterator[tuple[int, Report]]:
    """What became of each task, as it becomes known."""
    todo = []
    rivals = _rivals(tasks)
    for number, task in enumerate(tasks):
        refusal = rivals.get(task.name) or _refusal(task, asked)
        if refusal:
            yield number, Report(FAILED, refusal)
        else:
            todo.append(number)
    work = functools.partial(convert_one, asked, ctx.meta.get(GIVEN, ()), stage)
    for place, found in results(work, [tasks[number] for number in todo], jobs):
        number = todo[place]
        if isinstance(found, Crash):
            crash = f"The process that converted it {found.how}. Nothing was written."
            yield number, Report(FAILED, crash)
        else:
            yield number, _placed(tasks[number], found, asked, ctx)


def _rivals(tasks: Sequence[Job]) -> dict[str, str]:
    """What is wrong with models that would become the same file as another one."""
    taken: dict[Path, str] = {}
    wrong = {}
    for task in sorted(tasks, key=lambda each: not each.name.endswith(MODEL)):
        made = name_of_target(Path(task.name))
        other = taken.setdefault(made, task.name)
        if other != task.name:
            wrong[task.name] = (
                f"Two models must not become the same file. Received: {other!r} and "
                f"{task.name!r}, which both become {made.as_posix()!r}. Rename one of "
                "them."
            )
    return wrong


def _refusal(task: Job, asked: Asked) -> str:
    """Why a task is not begun; empty where it is."""
    target = task.target
    if target is None or not (target.exists() or remote.target_of(target)):
        return ""
    try:
        with _made(target.parent):
            check_model_target(task.source, target, overwrite=asked.force)
    except RectifierError as error:
        return str(error)
    return ""


def _placed(task: Job, report: Report, asked: Asked, ctx: click.Context) -> Report:
    """Give what a process wrote its name."""
    if task.staged is None or task.target is None or report.outcome == FAILED:
        return report
    try:
        with _made(task.target.parent):
            put_in_place(task.staged, task.target, overwrite=asked.force)
    except (RectifierError, OSError) as error:
        return dataclasses.replace(report, outcome=FAILED, said=sentence(error, ctx))
    return report


def convert_one(asked: Asked, given: Sequence[str], stage: Path, task: Job) -> Report:
    """Convert one model, in another process.

    Args:
        asked: What is to be done.
        given: The words of the command line.
        stage: The folder for temporary files.
        task: The model.
    """
    tempfile.tempdir = str(stage)  # the parent removes it, also after a crash
    ctx = click.Context(click.Command("convert"))
    ctx.meta[GIVEN] = list(given)
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
        report = _converted(task, asked, ctx)
    lines = [line for line in told.getvalue().splitlines() if line.strip()]
    return dataclasses.replace(report, messages=tuple(lines))


def _converted(task: Job, asked: Asked, ctx: click.Context) -> Report:
    try:
        if task.staged is not None:
            task.staged.parent.mkdir()
        done = carry_out(task.source, task.staged, asked)
    except click.ClickException as error:
        return Report(FAILED, error.format_message())
    except Exception as error:  # noqa: BLE001 - it costs this model only
        return Report(FAILED, _named(sentence(error, ctx), task))
    if done.refusal:
        return Report(FAILED, done.refusal, done.to_dict())
    written = task.staged is not None
    said = done.plan.summary if written else done.plan.intent
    outcome = CONVERTED if done.plan.steps else UNCHANGED
    if outcome == UNCHANGED and written:
        said = f"{said} Copied."
    if done.verification is not None:
        said = f"{said} Verified: {done.verification.headline}"
    opening = "" if done.target is None else opens(done.target)
    return Report(outcome, said, done.to_dict(), opening)


def _named(text: str, task: Job) -> str:
    return text.replace(str(task.staged), str(task.target)) if task.staged else text


def _shown(
    tasks: Sequence[Job], reports: Iterator[tuple[int, Report]], *, as_json: bool
) -> list[Report]:
    """Show one line for each model in the order of their names, once it is known."""
    found: dict[int, Report] = {}
    shown = 0
    with bar("models", len(tasks)) as advance:
        for number, report in reports:
            found[number] = report
            advance()
            while shown in found:
                _show(tasks[shown], found[shown], as_json=as_json)
                shown += 1
    return [found[number] for number in range(len(tasks))]


def _show(task: Job, report: Report, *, as_json: bool) -> None:
    for line in report.messages:
        say(f"{task.name}: {line}")
    if as_json:
        return
    failed = "failed: " if report.outcome == FAILED else ""
    show([f"{task.name}: {failed}{report.said}"])


def _openings(reports: Sequence[Report]) -> list[str]:
    """Where the files open, and how many of them."""
    found = Counter(each.opens for each in reports if each.opens)
    written = found.total()
    return [f"{count} of {written}: {said}" for said, count in found.items()]


def _summary(counts: Counter[str], target: Path | None) -> str:
    models = counts.total()
    planned = target is None
    parts = [
        f"{counts[CONVERTED]} {'to convert' if planned else 'converted'}",
        f"{counts[UNCHANGED]} with nothing to replace{'' if planned else ' (copied)'}",
        f"{counts[FAILED]} failed",
    ]
    where = "Nothing was written (--dry-run)." if planned else f"Written to: {target}"
    if not planned and counts[FAILED] == models:
        where = "Nothing was written."
    return f"{models} model{'s' * (models != 1)}: {', '.join(parts)}.\n{where}"
