"""Diagnoses with evidence, made by hand: one layer for each keyword."""

import dataclasses

import numpy as np

from keras_rectifiers.diagnosis.evidence.data import Evidence
from keras_rectifiers.diagnosis.evidence.data import ModelInput
from keras_rectifiers.diagnosis.evidence.data import MovingEvidence
from keras_rectifiers.diagnosis.evidence.data import NormalizationEvidence
from keras_rectifiers.diagnosis.evidence.data import ProducerEvidence
from keras_rectifiers.diagnosis.evidence.data import RectifierEvidence
from keras_rectifiers.diagnosis.evidence.data import Spread
from keras_rectifiers.diagnosis.evidence.data import Training
from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.statistics import UnitStatistics

UNITS, FAN_IN, SAMPLES = 4, 50, 64
#: What a well-scaled layer takes, and an ordinary optimizer.
UNIT_RANGE = Spread(0.4, 0.5, 0.0, 1.0)
ADAM = Training("Adam", 1e-3, 500, scale_free=True)


def full(value):
    """One value for each unit; arrays pass."""
    return np.broadcast_to(np.asarray(value, np.float64), (UNITS,)).copy()


def producer(path="dense", **changes):
    """A layer with He's weights that went an ordinary way."""
    values = {
        "norm": full(np.sqrt(2)),
        "mean": full(0.0),
        "bias": full(-0.02),
        "birth_norm": full(np.sqrt(2)),
        "birth_mean": full(0.0),
        "birth_bias": full(0.0),
        "moved": full(0.3),
        "takes": UNIT_RANGE,
        "initializer": "HeNormal",
        **changes,
    }
    return ProducerEvidence(path, "Dense", FAN_IN, **values)


def normalization(**changes):
    """A batch normalization that does nothing."""
    values = {"gamma": full(1.0), "beta": full(0.0), "moving": True, **changes}
    return NormalizationEvidence("bn", "BatchNormalization", **values)


def rectifier(path, maximum=-1.0, **changes):
    """Units that vary, and stay below 0."""
    values = {
        "mean": full(-2.0),
        "std": full(0.5),
        "std_over_samples": full(0.5),
        "producer": producer(path),
        "upstream": (),
        **changes,
    }
    return RectifierEvidence(path=path, maximum=full(maximum), **values)


def moving(path="bn", **changes):
    """A batch normalization whose moving statistics are those of its start."""
    values = {
        "mean": full(0.0),
        "variance": full(1.0),
        "batch_mean": full(3.0),
        "batch_variance": full(0.01),
        "mean_error": full(0.01),
        "variance_error": full(0.001),
        "epsilon": 1e-3,
        "momentum": 0.999,
        **changes,
    }
    return MovingEvidence(path, **values)


def waking(path, peak=1.0, **changes):
    """Units that fire with the statistics of the batch."""
    values = {
        "normalization": normalization(),
        "batch_maximum": full(peak),
        "norms": ("bn",),
        **changes,
    }
    return rectifier(path, **values)


def layer(path, fired=0, role=None):
    """What the units of a plain ReLU did."""
    counts = np.broadcast_to(np.asarray(fired, np.int64), (UNITS,)).copy()
    nothing = np.zeros(UNITS, np.int64)
    sums = counts.astype(np.float64)
    statistics = UnitStatistics(
        SAMPLES, SAMPLES, counts, counts, nothing, sums, sums, sums
    )
    return LayerDiagnosis(path, statistics, full(0.0), np.zeros(UNITS, bool), role=role)


def diagnosis(*rectifiers, fired=None, roles=None, **changes):
    """A diagnosis of these rectifiers, in which no unit fired but those named."""
    values = {
        "inputs": (ModelInput("data", "float32", UNIT_RANGE),),
        "training": ADAM,
        **changes,
    }
    evidence = Evidence(SAMPLES, rectifiers=rectifiers, **values)
    layers = tuple(
        layer(each.path, (fired or {}).get(each.path, 0), (roles or {}).get(each.path))
        for each in rectifiers
    )
    return Diagnosis("net", layers, evidence=evidence)


def without_evidence(found):
    """The same counts, as they come from files."""
    return dataclasses.replace(found, evidence=None)
