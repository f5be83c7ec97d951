"""Callbacks for training with rectifiers."""

from keras_rectifiers.callbacks.anneal import AnnealSlope
from keras_rectifiers.callbacks.dead_unit_monitor import DeadUnitMonitor
from keras_rectifiers.callbacks.revive import ReviveDeadUnits
from keras_rectifiers.callbacks.thresholds import Threshold

__all__ = ["AnnealSlope", "DeadUnitMonitor", "ReviveDeadUnits", "Threshold"]
