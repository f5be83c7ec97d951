"""Every type that the public functions return or take.

What a function returns is a `Result`: it has `rows`, `to_dict()`, `to_json()` and
`to_pandas()`, prints as a table, and shows one in a notebook. The others are parts of
results, and `Data`, which brings test data along. Names are imported when they are
first used; Keras is loaded for `Restarted`, `Revived` and `Verification` only.
"""

from typing import TYPE_CHECKING

from keras_rectifiers import _lazy

if TYPE_CHECKING:
    from keras_rectifiers.calibration.result import Calibration as Calibration
    from keras_rectifiers.conversion.diff_result import ConfigChange as ConfigChange
    from keras_rectifiers.conversion.diff_result import ModelDiff as ModelDiff
    from keras_rectifiers.conversion.diff_result import SiteChange as SiteChange
    from keras_rectifiers.conversion.diff_result import SlopeChange as SlopeChange
    from keras_rectifiers.conversion.diff_result import WeightChange as WeightChange
    from keras_rectifiers.conversion.revert import RevertedSite as RevertedSite
    from keras_rectifiers.conversion.revert import RevertResult as RevertResult
    from keras_rectifiers.conversion.upgrade import Upgrade as Upgrade
    from keras_rectifiers.diagnosis.causes.explanation import Cause as Cause
    from keras_rectifiers.diagnosis.causes.explanation import Explanation as Explanation
    from keras_rectifiers.diagnosis.layer_diagnosis import (
        LayerDiagnosis as LayerDiagnosis,
    )
    from keras_rectifiers.diagnosis.result import Diagnosis as Diagnosis
    from keras_rectifiers.diagnosis.timeline import LayerTimeline as LayerTimeline
    from keras_rectifiers.diagnosis.timeline import Timeline as Timeline
    from keras_rectifiers.estimation.layer_estimate import (
        LayerEstimate as LayerEstimate,
    )
    from keras_rectifiers.estimation.result import Estimate as Estimate
    from keras_rectifiers.exporting.result import Differences as Differences
    from keras_rectifiers.exporting.result import ExportedRectifier as ExportedRectifier
    from keras_rectifiers.exporting.result import ExportResult as ExportResult
    from keras_rectifiers.exporting.result import Twin as Twin
    from keras_rectifiers.files.data import Data as Data
    from keras_rectifiers.finetuning.outcome import Outcome as Outcome
    from keras_rectifiers.finetuning.result import FinetuneResult as FinetuneResult
    from keras_rectifiers.finetuning.result import Tried as Tried
    from keras_rectifiers.folding.result import FoldedSite as FoldedSite
    from keras_rectifiers.folding.result import FoldResult as FoldResult
    from keras_rectifiers.graph.sites import Site as Site
    from keras_rectifiers.repairs import Repair as Repair
    from keras_rectifiers.results import Result as Result
    from keras_rectifiers.revival.restart import Restarted as Restarted
    from keras_rectifiers.revival.revive import Revived as Revived
    from keras_rectifiers.specs import Replacement as Replacement
    from keras_rectifiers.surgery.plan import Plan as Plan
    from keras_rectifiers.surgery.plan import Skip as Skip
    from keras_rectifiers.surgery.plan import Step as Step
    from keras_rectifiers.surgery.verify import Verification as Verification

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    {
        "calibration.result": ("Calibration",),
        "conversion.diff_result": (
            "ConfigChange",
            "ModelDiff",
            "SiteChange",
            "SlopeChange",
            "WeightChange",
        ),
        "conversion.revert": ("RevertResult", "RevertedSite"),
        "conversion.upgrade": ("Upgrade",),
        "diagnosis.causes.explanation": ("Cause", "Explanation"),
        "diagnosis.layer_diagnosis": ("LayerDiagnosis",),
        "diagnosis.result": ("Diagnosis",),
        "diagnosis.timeline": ("LayerTimeline", "Timeline"),
        "estimation.layer_estimate": ("LayerEstimate",),
        "estimation.result": ("Estimate",),
        "exporting.result": (
            "Differences",
            "ExportResult",
            "ExportedRectifier",
            "Twin",
        ),
        "files.data": ("Data",),
        "finetuning.outcome": ("Outcome",),
        "finetuning.result": ("FinetuneResult", "Tried"),
        "folding.result": ("FoldResult", "FoldedSite"),
        "graph.sites": ("Site",),
        "repairs": ("Repair",),
        "results": ("Result",),
        "revival.restart": ("Restarted",),
        "revival.revive": ("Revived",),
        "specs": ("Replacement",),
        "surgery.plan": ("Plan", "Skip", "Step"),
        "surgery.verify": ("Verification",),
    },
)
