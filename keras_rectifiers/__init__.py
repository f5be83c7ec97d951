"""Replace ReLU in saved Keras models, and watch for dead units.

The names are imported when they are first used, so that the command line and
the surgery on files never load Keras. Layers and initializers are registered where
Keras is loaded, or will be, so that `keras.saving.load_model` finds them.
"""

import importlib
from typing import Any

from keras_rectifiers._registration import register
from keras_rectifiers._version import __version__

#: Public name -> the module that defines it.
_HOMES = {
    "Diagnosis": "keras_rectifiers.diagnosis.diagnose",
    "Estimate": "keras_rectifiers.estimation.estimate",
    "Plan": "keras_rectifiers.surgery.plan",
    "calibrate": "keras_rectifiers.calibration.calibrate",
    "convert": "keras_rectifiers.conversion.verbs",
    "convert_file": "keras_rectifiers.conversion.verbs",
    "diagnose": "keras_rectifiers.diagnosis.diagnose",
    "diff": "keras_rectifiers.conversion.diff",
    "estimate": "keras_rectifiers.estimation.estimate",
    "explain": "keras_rectifiers.diagnosis.causes.explain",
    "export": "keras_rectifiers.exporting.export",
    "finetune": "keras_rectifiers.finetuning.finetune",
    "fold": "keras_rectifiers.folding.fold",
    "fold_file": "keras_rectifiers.folding.fold",
    "Upgrade": "keras_rectifiers.conversion.upgrade",
    "load_model": "keras_rectifiers.conversion.verbs",
    "plan": "keras_rectifiers.conversion.verbs",
    "upgrade_file": "keras_rectifiers.conversion.upgrade",
    "verify": "keras_rectifiers.surgery.verify",
    "revert": "keras_rectifiers.conversion.revert",
    "revert_file": "keras_rectifiers.conversion.revert",
    "write_report": "keras_rectifiers.report.html",
}
#: Public modules.
_MODULES = ("callbacks", "constraints", "initializers", "layers")

__all__ = ["__version__", *_HOMES, *_MODULES]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name in _MODULES:
        return importlib.import_module(f"keras_rectifiers.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


register()
