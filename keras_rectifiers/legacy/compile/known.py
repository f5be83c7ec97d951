"""The optimizers, schedules, losses and metrics that Keras 3 has, and their arguments.

Plain tables: Keras is never imported. A test holds them to the installed Keras.
"""

from __future__ import annotations

from collections.abc import Mapping

from keras_rectifiers.graph.document import snake_case

_MOMENTS = "beta_1 beta_2 epsilon"
_CROSSENTROPY = "from_logits label_smoothing axis"
_SPARSE = "from_logits ignore_class axis"


def _split(table: Mapping[str, str], bare: str = "") -> dict[str, tuple[str, ...]]:
    """Class -> its arguments; `bare` names the classes without arguments."""
    every = {**table, **dict.fromkeys(bare.split(), "")}
    return {name: tuple(arguments.split()) for name, arguments in every.items()}


_OPTIMIZERS = {
    "SGD": "momentum nesterov",
    "RMSprop": "rho momentum epsilon centered",
    "Adagrad": "initial_accumulator_value epsilon",
    "Adadelta": "rho epsilon",
    "Adam": f"{_MOMENTS} amsgrad",
    "AdamW": f"{_MOMENTS} amsgrad",
    "Adamax": _MOMENTS,
    "Nadam": _MOMENTS,
    "Ftrl": (
        "learning_rate_power initial_accumulator_value l1_regularization_strength "
        "l2_regularization_strength l2_shrinkage_regularization_strength beta"
    ),
    "Lion": "beta_1 beta_2",
    "Lamb": _MOMENTS,
    "ScheduleFreeAdamW": f"{_MOMENTS} warmup_steps",
    "Muon": (
        "adam_beta_1 adam_beta_2 epsilon muon_a muon_b muon_c adam_lr_ratio momentum "
        "ns_steps adam_weight_decay rms_rate nesterov exclude_layers "
        "exclude_embeddings"
    ),
    "Adafactor": "beta_2_decay epsilon_1 epsilon_2 clip_threshold relative_step",
}
#: What an argument of an optimizer is, where it is not a number.
_KINDS = {
    **dict.fromkeys(("amsgrad", "centered", "exclude_embeddings"), "flag"),
    **dict.fromkeys(("nesterov", "relative_step"), "flag"),
    "exclude_layers": "texts",
}
#: Class -> its own arguments, besides those that every optimizer has, with their
#: kinds: `"number"`, `"flag"`, or `"texts"` for a list of strings.
OPTIMIZERS: dict[str, dict[str, str]] = {
    name: {each: _KINDS.get(each, "number") for each in arguments}
    for name, arguments in _split(_OPTIMIZERS).items()
}

#: Arguments of every optimizer, in the order in which Keras 3 writes them.
SHARED: dict[str, str | float | bool | None] = {
    "weight_decay": None,
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}

_DECAY = "initial_learning_rate decay_steps"
#: Schedule -> the arguments of its config.
SCHEDULES = _split(
    {
        "CosineDecay": f"{_DECAY} alpha name warmup_target warmup_steps",
        "CosineDecayRestarts": (
            "initial_learning_rate first_decay_steps t_mul m_mul alpha name"
        ),
        "ExponentialDecay": f"{_DECAY} decay_rate staircase name",
        "InverseTimeDecay": f"{_DECAY} decay_rate staircase name",
        "PiecewiseConstantDecay": "boundaries values name",
        "PolynomialDecay": f"{_DECAY} end_learning_rate power cycle name",
    }
)

#: Loss class -> its own arguments, besides name and reduction.
LOSSES = _split(
    {
        "BinaryCrossentropy": _CROSSENTROPY,
        "BinaryFocalCrossentropy": f"apply_class_balancing alpha gamma {_CROSSENTROPY}",
        "CategoricalCrossentropy": _CROSSENTROPY,
        "CategoricalFocalCrossentropy": f"alpha gamma {_CROSSENTROPY}",
        "CosineSimilarity": "axis",
        "Huber": "delta",
        "SparseCategoricalCrossentropy": _SPARSE,
    },
    (
        "CategoricalHinge Hinge KLDivergence LogCosh MeanAbsoluteError "
        "MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError "
        "Poisson SquaredHinge"
    ),
)
#: Functions that have another name in Keras 3.
RENAMED = {
    "cosine": "cosine_similarity",
    "cosine_proximity": "cosine_similarity",
    "huber_loss": "huber",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
}
_SHORT = {
    "bce": "BinaryCrossentropy",
    "kld": "KLDivergence",
    "mae": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "mse": "MeanSquaredError",
    "msle": "MeanSquaredLogarithmicError",
}
_BY_FUNCTION = {snake_case(name): name for name in LOSSES}
#: Name of a function, in any Keras -> the class that computes it in Keras 3.
LOSS_FUNCTIONS: dict[str, str] = {
    **_BY_FUNCTION,
    **{old: _BY_FUNCTION[new] for old, new in RENAMED.items()},
    **_SHORT,
    **{short.upper(): name for short, name in _SHORT.items()},
}
#: Strings that Keras 3 takes for a loss as they are.
LOSS_STRINGS = frozenset(
    {*LOSSES, *LOSS_FUNCTIONS, "crossentropy", "ce"} - set(RENAMED)
)

_AT = "num_thresholds class_id"
_IOU = "num_classes ignore_class sparse_y_true sparse_y_pred axis"
_ONE_HOT_IOU = "num_classes ignore_class sparse_y_pred axis"
#: Metric class -> its own arguments, besides name and dtype.
METRICS = _split(
    {
        "AUC": (
            "num_thresholds curve summation_method thresholds multi_label num_labels "
            "label_weights from_logits"
        ),
        "BinaryAccuracy": "threshold",
        "BinaryCrossentropy": "from_logits label_smoothing",
        "BinaryIoU": "target_class_ids threshold",
        "CategoricalCrossentropy": _CROSSENTROPY,
        "CosineSimilarity": "axis",
        "F1Score": "average threshold",
        "FBetaScore": "average beta threshold",
        "FalseNegatives": "thresholds",
        "FalsePositives": "thresholds",
        "IoU": f"target_class_ids {_IOU}",
        "MeanIoU": _IOU,
        "OneHotIoU": f"target_class_ids {_ONE_HOT_IOU}",
        "OneHotMeanIoU": _ONE_HOT_IOU,
        "Precision": "thresholds top_k class_id",
        "PrecisionAtRecall": f"recall {_AT}",
        "R2Score": "class_aggregation num_regressors",
        "Recall": "thresholds top_k class_id",
        "RecallAtPrecision": f"precision {_AT}",
        "SensitivityAtSpecificity": f"specificity {_AT}",
        "SparseCategoricalCrossentropy": _SPARSE,
        "SparseTopKCategoricalAccuracy": "k",
        "SpecificityAtSensitivity": f"sensitivity {_AT}",
        "TopKCategoricalAccuracy": "k",
        "TrueNegatives": "thresholds",
        "TruePositives": "thresholds",
    },
    (
        "Accuracy CategoricalAccuracy CategoricalHinge Hinge KLDivergence "
        "LogCoshError Mean MeanAbsoluteError MeanAbsolutePercentageError "
        "MeanSquaredError MeanSquaredLogarithmicError Poisson RootMeanSquaredError "
        "SparseCategoricalAccuracy SquaredHinge Sum"
    ),
)
#: Name of a function, in any Keras -> the metric that computes it in Keras 3.
METRIC_FUNCTIONS: dict[str, str] = {
    **{name: made for name, made in LOSS_FUNCTIONS.items() if made in METRICS},
    **{snake_case(name): name for name in METRICS if name.endswith("Accuracy")},
    "log_cosh": "LogCoshError",
    "logcosh": "LogCoshError",
}
#: Strings that Keras 3 takes for a metric, as Keras 1 and 2 meant them.
METRIC_STRINGS = frozenset(
    {*METRICS, *METRIC_FUNCTIONS, "acc"} - {*RENAMED, "KLD", "kld", "log_cosh"}
)
