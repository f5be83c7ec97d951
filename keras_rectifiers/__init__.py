"""Replace ReLU in saved Keras models, and watch for dead units.

The names are imported when they are first used, so that the command line and
the surgery on files never load Keras. Layers and initializers are registered where
Keras is loaded, or will be, so that `keras.saving.load_model` finds them.
"""

from typing import TYPE_CHECKING

from keras_rectifiers import _lazy
from keras_rectifiers._registration import register
from keras_rectifiers._version import __version__ as __version__

if TYPE_CHECKING:
    from keras_rectifiers import calibration as calibration
    from keras_rectifiers import callbacks as callbacks
    from keras_rectifiers import constraints as constraints
    from keras_rectifiers import errors as errors
    from keras_rectifiers import initializers as initializers
    from keras_rectifiers import layers as layers
    from keras_rectifiers import report as report
    from keras_rectifiers import revival as revival
    from keras_rectifiers import slopes as slopes
    from keras_rectifiers import types as types
    from keras_rectifiers.calibration.choosing import calibrate as calibrate
    from keras_rectifiers.conversion.diff import diff as diff
    from keras_rectifiers.conversion.revert import revert as revert
    from keras_rectifiers.conversion.revert import revert_file as revert_file
    from keras_rectifiers.conversion.upgrade import upgrade_file as upgrade_file
    from keras_rectifiers.conversion.verbs import convert as convert
    from keras_rectifiers.conversion.verbs import convert_file as convert_file
    from keras_rectifiers.conversion.verbs import load_model as load_model
    from keras_rectifiers.conversion.verbs import plan as plan
    from keras_rectifiers.diagnosis.causes.explain import explain as explain
    from keras_rectifiers.diagnosis.diagnose import diagnose as diagnose
    from keras_rectifiers.estimation.estimate import estimate as estimate
    from keras_rectifiers.exporting.export import export as export
    from keras_rectifiers.finetuning.finetune import finetune as finetune
    from keras_rectifiers.folding.fold import fold as fold
    from keras_rectifiers.folding.fold import fold_file as fold_file
    from keras_rectifiers.surgery.verify import verify as verify

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    {
        "calibration.choosing": ("calibrate",),
        "conversion.diff": ("diff",),
        "conversion.revert": ("revert", "revert_file"),
        "conversion.upgrade": ("upgrade_file",),
        "conversion.verbs": ("convert", "convert_file", "load_model", "plan"),
        "diagnosis.causes.explain": ("explain",),
        "diagnosis.diagnose": ("diagnose",),
        "estimation.estimate": ("estimate",),
        "exporting.export": ("export",),
        "finetuning.finetune": ("finetune",),
        "folding.fold": ("fold", "fold_file"),
        "surgery.verify": ("verify",),
    },
    modules=(
        "callbacks",
        "calibration",
        "constraints",
        "errors",
        "initializers",
        "layers",
        "report",
        "revival",
        "slopes",
        "types",
    ),
)

register()
