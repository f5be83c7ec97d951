"""Callbacks for training with rectifiers."""

from keras_rectifiers.callbacks.dead_unit_monitor import DeadUnitMonitor

__all__ = ["DeadUnitMonitor"]
