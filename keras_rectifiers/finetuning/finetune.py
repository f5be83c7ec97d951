"""Fine-tune a model so that its dead units come back, and it works again."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.files.data import given as as_data
from keras_rectifiers.finetuning import checks
from keras_rectifiers.finetuning import compare
from keras_rectifiers.finetuning import resume as resuming
from keras_rectifiers.finetuning import unbuilt
from keras_rectifiers.finetuning.best_epoch import Budget
from keras_rectifiers.finetuning.conclusion import conclude
from keras_rectifiers.finetuning.conclusion import ship
from keras_rectifiers.finetuning.look import PROBE_SAMPLES
from keras_rectifiers.finetuning.look import Look
from keras_rectifiers.finetuning.look import look_at
from keras_rectifiers.finetuning.notes import Notes
from keras_rectifiers.finetuning.optimizers import has_own_loss
from keras_rectifiers.finetuning.prepare import Order
from keras_rectifiers.finetuning.prepare import Treated
from keras_rectifiers.finetuning.prepare import treat
from keras_rectifiers.finetuning.prescriptions import CONVERT
from keras_rectifiers.finetuning.prescriptions import RESTART
from keras_rectifiers.finetuning.prescriptions import prescribe
from keras_rectifiers.finetuning.result import FinetuneResult
from keras_rectifiers.finetuning.runs import Run
from keras_rectifiers.finetuning.runs import RunSettings
from keras_rectifiers.finetuning.split import check_processes
from keras_rectifiers.finetuning.split import split
from keras_rectifiers.finetuning.stage import seats
from keras_rectifiers.finetuning.statistics import LAGGING
from keras_rectifiers.finetuning.statistics import refreshed
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.live.outputs import outputs_of
from keras_rectifiers.live.seeding import seed_everything
from keras_rectifiers.surgery.selection import Names

#: Steps that are enough to train units anew, and the epochs that may take.
_STEPS, _FEWEST, _MOST = 2000, 5, 50


def finetune(
    model: Any,
    data: Any,
    *,
    treatment: str | None = None,
    to: Any = None,
    epochs: int | None = None,
    learning_rate: float | None = None,
    schedule: str = "cosine",
    loss: Any = None,
    metrics: Any = None,
    batch_size: int = 32,
    steps_per_epoch: int | None = None,
    sample_weight: Any = None,
    validation_split: float = 0.1,
    validation_data: Any = None,
    seed: int = 0,
    keep_best: bool = True,
    fold: bool = False,
    class_weight: Any = None,
    input_normalization: bool = True,
    budget: float | None = None,
    resume: str | os.PathLike[str] | None = None,
    probe: Any = None,
    callbacks: Iterable[Any] = (),
    verbose: Any = 0,
    tell: Callable[[str], None] | None = None,
    of: Names | None = None,
    include: Names | None = None,
    exclude: Names | None = None,
    where: Callable[[Site], bool] | Diagnosis | None = None,
    roles: Names | None = None,
    negative_slope: float | None = None,
    alpha: float | None = None,
    trainable: bool | None = None,
    portable: bool = False,
) -> FinetuneResult:
    """Diagnose a model, treat its dead units, and train it under the monitor.

    The original is unchanged: use the model in the result. Its optimizer (with its
    state), loss and metrics are kept where it is compiled and no `loss` is given.

    The treatments:

    - `"revive"`: dead units get new incoming weights, outgoing weights of 0, and so
      leave the outputs what they were; the same again for units that die in the
      first three fifths of the run. Where that has no safe answer, as before a
      residual sum, dead units alone get a slope of 0.25.
    - `"slopes"`: dead units alone get a slope of 0.25; living ones stay ReLUs.
    - `"norms"`: in batch normalizations gammas below 1 become 1, and betas that keep
      a unit silent 0; kernels stay.
    - `"restart"`: all weights are drawn again so that the signal passes, by
      `keras_rectifiers.revival.restart`; frozen layers stay.
    - `"convert"`: the rectifiers of the selection are replaced, as `convert` does.
    - `"none"`: a copy is trained as it is.
    - `"auto"`: none where no unit is dead; revive where less than 10 % are, or less
      than 30 % in a model that is good. Where 30 % or more are, restart if the
      outputs say nothing about the labels, unless whole layers are dead and those
      before them live. Else revive and restart are tried for a fifth of the epochs
      each, and the better one goes on. From 30 % on, in a model with batch
      normalization, these two are norms and restart.

    Where 30 % or more are dead, and in a restart, the optimizer starts again, at no
    more than its class' default rate.

    Args:
        model: A `keras.Model`.
        data: What `keras.Model.fit` takes: `(x, y)` or `(x, y, sample_weight)` of
            arrays, or of lists, tuples or dicts of arrays; a `tf.data.Dataset`,
            `PyDataset`, torch `DataLoader` or generator of such batches; or a
            `keras_rectifiers.types.Data`, which may bring test data.
        treatment: See above. None: `"convert"` where `to` or a selection is given,
            else `"auto"`.
        to: For `"convert"`: `"prelu"` (default), `"leaky_relu"` or what else
            `convert` takes.
        epochs: Passes over the data in all, at least 1. None: enough for 2,000
            steps, 5 at least and 50 at most.
        learning_rate: Float > 0; None keeps the optimizer's, or 0.001 for Adam.
        schedule: `"cosine"`: the rate rises for a tenth of the run, then falls to 0
            along a cosine; its peak is the optimizer's; three times that with
            `"norms"` and where moving statistics lagged; five times in a restart, and
            where whole layers are among 30 % or more dead units. An optimizer's own
            schedule stays, unless the optimizer starts again. Or `"constant"`.
        loss: Loss for a model that has none; replaces the optimizer too.
        metrics: Metrics where `loss` is given.
        batch_size: Samples in a step; a data set object has its own.
        steps_per_epoch: Steps of an epoch, at least 1; needed for generators and for
            data sets that never end. None: all data.
        sample_weight: Weights of samples in the loss: one array, or one for each
            output. A data set object has its own.
        validation_split: Share of the arrays in 0..1 (1 excluded) that is held out
            at random, and measured. Not used where the data bring test arrays, or
            with validation data.
        validation_data: Data in the same forms, which end, that are measured and
            choose the best epoch in place of the validation split.
        seed: For the split, the order of samples, new weights and dropout.
        keep_best: Whether the model ends with the weights of its best epoch, by
            the first metric on the validation split (on the training data where
            there is none: test arrays choose nothing), the start counted as one;
            of epochs within a standard error the last. Else with the last ones.
        fold: Whether slopes of dead units are annealed to 0 in the first three
            fifths of the run, and every rectifier whose slopes allow it becomes a
            plain ReLU again.
        class_weight: Class -> weight in the loss, or `"balanced"`; for several
            outputs a mapping from output to one of these.
        input_normalization: Whether a restart may put a `keras.layers.Normalization`
            in front of the model, where the inputs are far from unit range: it
            becomes part of the model, which then takes the same inputs as before.
        budget: Seconds after which training ends; None for all epochs.
        resume: Folder in which the state is kept after each epoch. A call with the
            same model, data and options resumes from what it finds there; the order
            of samples after that is another than that of a run that was not
            stopped. Remove the folder once the result is safe. None keeps nothing.
        probe: Inputs on which units are watched; None takes up to 1,024 samples of
            the training data.
        callbacks: More Keras callbacks. Where treatments are compared, they see
            the trial of each, and then the rest of the better one.
        verbose: As in `keras.Model.fit`.
        tell: Called with one sentence before each treatment and trial begins, and
            where units die again; None prints them where `verbose` is on. The
            result has them as `notes`.
        of: Kinds of rectifier to replace, as `convert` takes them; so are the next
            seven, for `"convert"` and, but for `where` and `negative_slope`, for
            `"slopes"`. None: the default of `convert`.
        include: Globs on the sites' paths; only these are converted.
        exclude: Globs; these are left as they are.
        where: A predicate on the `Site`, or a `Diagnosis`.
        roles: Roles to convert.
        negative_slope: Slope of the Leaky ReLU.
        alpha: Slope at which the PReLU starts.
        trainable: Whether the slopes of `to="prelu"` learn.
        portable: Whether layers of this package become stock ones of Keras at the
            end, so that the model opens without it; `notes` says which cannot.

    Raises:
        ValueError: A number out of its range, or no loss.
        DataError: The data have no labels, or labels that do not fit the loss; or
            `resume` holds the state of another run.
        ArchiveError: The folder of `resume` cannot be written.
        UnsupportedModelError: Weights are NaN or infinite before anything is done.
        RectifierError: The loss became NaN or infinite.
    """
    options = {
        "of": of,
        "include": include,
        "exclude": exclude,
        "where": where,
        "roles": roles,
        "negative_slope": negative_slope,
        "alpha": alpha,
        "trainable": trainable,
    }
    selection = {name: each for name, each in options.items() if each is not None}
    asked = checks.treatment_of(treatment, to, selection)
    checks.check_model(model)
    checks.check_numbers(
        epochs=epochs,
        learning_rate=learning_rate,
        validation_split=validation_split,
        schedule=schedule,
        batch_size=batch_size,
        seed=seed,
        steps_per_epoch=steps_per_epoch,
    )
    given = as_data(data, sample_weight=sample_weight)
    checks.check_arrays(model, given)
    measured = None
    if validation_data is not None:
        measured = as_data(validation_data, "validation_data")
        checks.check_arrays(model, measured, "validation")
    if asked != RESTART:  # that one draws weights anew
        checks.check_weights(model)
    seed_everything(seed)
    parts = split(
        given,
        validation_split,
        batch_size,
        seed,
        validation=measured,
        steps=steps_per_epoch,
        labels=not has_own_loss(model),
    ).weighted(class_weight, model, loss)
    check_processes(parts)
    model = unbuilt.built(model, parts.sample(1).x)
    limits = [] if budget is None else [Budget(budget)]
    compiling = {"loss": loss, "metrics": metrics, "learning_rate": learning_rate}
    notes = Notes(print if tell is None and verbose else tell)
    first = look_at(model, parts, probe, compiling, seed)
    lagging = asked not in (RESTART, CONVERT) and first.found.has_cause(LAGGING)
    again = functools.partial(
        look_at, parts=parts, probe=probe, compiling=compiling, seed=seed
    )
    base, look, done = refreshed(model, first, parts, again, lagging=lagging)
    notes.say_all((*done, *filter(None, [first.out_of_reach])))
    start = look if look.is_better_than(first) else first
    program = compare.program(
        prescribe(
            asked,
            look.found,
            normalize=input_normalization,
            lagged=base is not model,
        ),
        epochs or _enough(parts.steps),
    )
    conversion = selection if to is None else {"to": to, **selection}
    order = Order(
        model,
        base,
        look.found,
        look.probe,
        look.sample,
        program.epochs,
        seed,
        fold,
        conversion,
        compiling,
        portable,
    )
    training = RunSettings(
        parts,
        program.epochs,
        start.chosen_by,
        schedule,
        _monitor(look),
        [*callbacks, *limits],
        {"verbose": verbose},
        seed,
        parts.judged(PROBE_SAMPLES) or look.sample,
        notes,
    )
    treated = [treat(order, each) for each in program.prescriptions]
    places = seats(look.copy, treated)
    outputs = [outputs_of(each.model, look.sample.x) for each in places]
    treated = [each.without_model() for each in treated]
    said = {
        "training": [program.epochs, schedule, batch_size, validation_split, seed],
        "given": [learning_rate, fold, class_weight],
    }
    kept = resuming.slots(
        resume,
        [_mark(model, parts.identity(look.sample), said, each) for each in treated],
    )
    runs = [
        Run(each, place, training, slot)
        for each, place, slot in zip(treated, places, kept, strict=True)
    ]
    best, tried = compare.train(runs, program.trial, notes)
    best.require_finite()
    fallback = base if start is look else model
    made = ship(best, order, fallback, keep_best=keep_best)
    notes.say_all(made.not_portable)
    return conclude(
        best,
        made,
        first,
        parts,
        tried=tried,
        start=outputs[runs.index(best)],
        notes=notes,
        done=done,
    )


def _mark(model: Any, data: Any, said: Mapping[str, Any], treated: Treated) -> str:
    """What a state must have in common with a run that resumes from it."""
    made = None if treated.plan is None else treated.plan.to_json()
    told = {**said, "treatment": treated.prescription.treatment, "plan": made}
    return resuming.mark(model, data, told)


def _monitor(look: Look) -> DeadUnitMonitor | None:
    if not look.found.diagnosis.layers:
        return None
    return DeadUnitMonitor(look.probe, probe_samples="all", batch_size=256)


def _enough(steps: int | None) -> int:
    """Epochs for `_STEPS` steps, within bounds."""
    if not steps:
        return _FEWEST
    return min(max(math.ceil(_STEPS / steps), _FEWEST), _MOST)
