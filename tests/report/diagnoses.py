"""Diagnoses of networks that were never run, for tests of how they are shown."""

import numpy as np

from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.statistics import PEAK_BINS
from keras_rectifiers.diagnosis.statistics import UnitStatistics
from keras_rectifiers.diagnosis.timeline import Timeline

SAMPLES = 1000


def layer(name, units=16, silent=0, slope=0.0, *, peaks=False, seed=0):
    """A layer whose first units never fired."""
    rng = np.random.default_rng(seed)
    fired = rng.integers(200, SAMPLES - 100, units)
    fired[:silent] = 0
    counted = None
    if peaks:
        counted = np.zeros((units, PEAK_BINS), int)
        counted[:, 0] = SAMPLES - fired
        counted[:, 8] = fired
    statistics = UnitStatistics(
        samples=SAMPLES,
        positions=SAMPLES * 4,
        fired=fired,
        fired_positions=fired,
        not_finite=np.zeros(units, int),
        sum_abs=fired.astype(float),
        sum_squares=fired.astype(float),
        maximum=np.ones(units),
        peaks=counted,
    )
    slopes = rng.normal(slope, abs(slope) / 10, units)
    return LayerDiagnosis(name, statistics, slopes, slopes != 0)


def network(*layers, model="net", unseen=()):
    """A diagnosis of some layers."""
    return Diagnosis(model, layers, unseen)


def timeline(*diagnoses):
    """One measurement after each epoch."""
    found = Timeline(diagnoses[0].model)
    for epoch, diagnosis in enumerate(diagnoses):
        found.append(diagnosis, epoch=epoch, step=10 * epoch)
    return found


def large(age=0):
    """A network with as many rectifiers and units as ResNet50."""
    widths = [64]
    for blocks, width in ((3, 64), (4, 128), (6, 256), (3, 512)):
        widths += [width, width, 4 * width] * blocks
    return network(
        *(
            layer(f"block_{number}_relu", width, number * width // 200, 0.1, seed=age)
            for number, width in enumerate(widths)
        ),
        model="large",
    )
