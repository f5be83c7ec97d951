"""The optimizers, schedules, losses and metrics that Keras 3 has.

Each with the arguments that its config may hold, and their kinds: `"number"`,
`"flag"`, or `"texts"` for a list of strings.
"""

from __future__ import annotations

_NUMBER = "number"
_FLAG = "flag"


def _numbers(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, _NUMBER)


_ADAM = {**_numbers("beta_1", "beta_2", "epsilon"), "amsgrad": _FLAG}

#: Class -> its own arguments, besides those that every optimizer has.
OPTIMIZERS: dict[str, dict[str, str]] = {
    "SGD": {"momentum": _NUMBER, "nesterov": _FLAG},
    "RMSprop": {**_numbers("rho", "momentum", "epsilon"), "centered": _FLAG},
    "Adagrad": _numbers("initial_accumulator_value", "epsilon"),
    "Adadelta": _numbers("rho", "epsilon"),
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "Adamax": _numbers("beta_1", "beta_2", "epsilon"),
    "Nadam": _numbers("beta_1", "beta_2", "epsilon"),
    "Ftrl": _numbers(
        "learning_rate_power",
        "initial_accumulator_value",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    ),
    "Lion": _numbers("beta_1", "beta_2"),
    "Lamb": _numbers("beta_1", "beta_2", "epsilon"),
    "ScheduleFreeAdamW": _numbers("beta_1", "beta_2", "epsilon", "warmup_steps"),
    "Muon": {
        **_numbers(
            "adam_beta_1",
            "adam_beta_2",
            "epsilon",
            "muon_a",
            "muon_b",
            "muon_c",
            "adam_lr_ratio",
            "momentum",
            "ns_steps",
            "adam_weight_decay",
            "rms_rate",
        ),
        "nesterov": _FLAG,
        "exclude_layers": "texts",
        "exclude_embeddings": _FLAG,
    },
    "Adafactor": {
        **_numbers("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold"),
        "relative_step": _FLAG,
    },
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

#: Schedule -> the arguments of its config.
SCHEDULES: dict[str, tuple[str, ...]] = {
    "CosineDecay": (
        "initial_learning_rate",
        "decay_steps",
        "alpha",
        "name",
        "warmup_target",
        "warmup_steps",
    ),
    "CosineDecayRestarts": (
        "initial_learning_rate",
        "first_decay_steps",
        "t_mul",
        "m_mul",
        "alpha",
        "name",
    ),
    "ExponentialDecay": (
        "initial_learning_rate",
        "decay_steps",
        "decay_rate",
        "staircase",
        "name",
    ),
    "InverseTimeDecay": (
        "initial_learning_rate",
        "decay_steps",
        "decay_rate",
        "staircase",
        "name",
    ),
    "PiecewiseConstantDecay": ("boundaries", "values", "name"),
    "PolynomialDecay": (
        "initial_learning_rate",
        "decay_steps",
        "end_learning_rate",
        "power",
        "cycle",
        "name",
    ),
}

_CROSSENTROPY = ("from_logits", "label_smoothing", "axis")

#: Loss class -> its own arguments, besides name and reduction.
LOSSES: dict[str, tuple[str, ...]] = {
    "BinaryCrossentropy": _CROSSENTROPY,
    "BinaryFocalCrossentropy": (
        "apply_class_balancing",
        "alpha",
        "gamma",
        *_CROSSENTROPY,
    ),
    "CategoricalCrossentropy": _CROSSENTROPY,
    "CategoricalFocalCrossentropy": ("alpha", "gamma", *_CROSSENTROPY),
    "CategoricalHinge": (),
    "CosineSimilarity": ("axis",),
    "Hinge": (),
    "Huber": ("delta",),
    "KLDivergence": (),
    "LogCosh": (),
    "MeanAbsoluteError": (),
    "MeanAbsolutePercentageError": (),
    "MeanSquaredError": (),
    "MeanSquaredLogarithmicError": (),
    "Poisson": (),
    "SparseCategoricalCrossentropy": ("from_logits", "ignore_class", "axis"),
    "SquaredHinge": (),
}

#: Name of a function, in any Keras -> the class that computes it in Keras 3.
LOSS_FUNCTIONS: dict[str, str] = {
    "binary_crossentropy": "BinaryCrossentropy",
    "binary_focal_crossentropy": "BinaryFocalCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "categorical_focal_crossentropy": "CategoricalFocalCrossentropy",
    "categorical_hinge": "CategoricalHinge",
    "cosine": "CosineSimilarity",
    "cosine_proximity": "CosineSimilarity",
    "cosine_similarity": "CosineSimilarity",
    "hinge": "Hinge",
    "huber": "Huber",
    "huber_loss": "Huber",
    "kl_divergence": "KLDivergence",
    "kullback_leibler_divergence": "KLDivergence",
    "log_cosh": "LogCosh",
    "logcosh": "LogCosh",
    "mean_absolute_error": "MeanAbsoluteError",
    "mean_absolute_percentage_error": "MeanAbsolutePercentageError",
    "mean_squared_error": "MeanSquaredError",
    "mean_squared_logarithmic_error": "MeanSquaredLogarithmicError",
    "poisson": "Poisson",
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
    "squared_hinge": "SquaredHinge",
    **{
        short: name
        for lower, name in {
            "bce": "BinaryCrossentropy",
            "kld": "KLDivergence",
            "mae": "MeanAbsoluteError",
            "mape": "MeanAbsolutePercentageError",
            "mse": "MeanSquaredError",
            "msle": "MeanSquaredLogarithmicError",
        }.items()
        for short in (lower, lower.upper())
    },
}

#: Functions that have another name in Keras 3.
RENAMED: dict[str, str] = {
    "cosine": "cosine_similarity",
    "cosine_proximity": "cosine_similarity",
    "huber_loss": "huber",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
}

#: Strings that Keras 3 takes for a loss as they are.
LOSS_STRINGS = frozenset(
    {*LOSSES, *LOSS_FUNCTIONS, "crossentropy", "ce"} - set(RENAMED)
)

_COUNTS = ("thresholds",)
_AT = ("num_thresholds", "class_id")
_IOU = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")
_ONE_HOT_IOU = ("num_classes", "ignore_class", "sparse_y_pred", "axis")

#: Metric class -> its own arguments, besides name and dtype.
METRICS: dict[str, tuple[str, ...]] = {
    "AUC": (
        "num_thresholds",
        "curve",
        "summation_method",
        "thresholds",
        "multi_label",
        "num_labels",
        "label_weights",
        "from_logits",
    ),
    "Accuracy": (),
    "BinaryAccuracy": ("threshold",),
    "BinaryCrossentropy": ("from_logits", "label_smoothing"),
    "BinaryIoU": ("target_class_ids", "threshold"),
    "CategoricalAccuracy": (),
    "CategoricalCrossentropy": _CROSSENTROPY,
    "CategoricalHinge": (),
    "CosineSimilarity": ("axis",),
    "F1Score": ("average", "threshold"),
    "FBetaScore": ("average", "beta", "threshold"),
    "FalseNegatives": _COUNTS,
    "FalsePositives": _COUNTS,
    "Hinge": (),
    "IoU": ("target_class_ids", *_IOU),
    "KLDivergence": (),
    "LogCoshError": (),
    "Mean": (),
    "MeanAbsoluteError": (),
    "MeanAbsolutePercentageError": (),
    "MeanIoU": _IOU,
    "MeanSquaredError": (),
    "MeanSquaredLogarithmicError": (),
    "OneHotIoU": ("target_class_ids", *_ONE_HOT_IOU),
    "OneHotMeanIoU": _ONE_HOT_IOU,
    "Poisson": (),
    "Precision": ("thresholds", "top_k", "class_id"),
    "PrecisionAtRecall": ("recall", *_AT),
    "R2Score": ("class_aggregation", "num_regressors"),
    "Recall": ("thresholds", "top_k", "class_id"),
    "RecallAtPrecision": ("precision", *_AT),
    "RootMeanSquaredError": (),
    "SensitivityAtSpecificity": ("specificity", *_AT),
    "SparseCategoricalAccuracy": (),
    "SparseCategoricalCrossentropy": ("from_logits", "ignore_class", "axis"),
    "SparseTopKCategoricalAccuracy": ("k",),
    "SpecificityAtSensitivity": ("sensitivity", *_AT),
    "SquaredHinge": (),
    "Sum": (),
    "TopKCategoricalAccuracy": ("k",),
    "TrueNegatives": _COUNTS,
    "TruePositives": _COUNTS,
}

#: Name of a function, in any Keras -> the metric that computes it in Keras 3.
METRIC_FUNCTIONS: dict[str, str] = {
    **{
        name: "LogCoshError" if made == "LogCosh" else made
        for name, made in LOSS_FUNCTIONS.items()
        if made == "LogCosh" or made in METRICS
    },
    "accuracy": "Accuracy",
    "binary_accuracy": "BinaryAccuracy",
    "categorical_accuracy": "CategoricalAccuracy",
    "sparse_categorical_accuracy": "SparseCategoricalAccuracy",
    "sparse_top_k_categorical_accuracy": "SparseTopKCategoricalAccuracy",
    "top_k_categorical_accuracy": "TopKCategoricalAccuracy",
}

#: Strings that Keras 3 takes for a metric, as Keras 1 and 2 meant them.
METRIC_STRINGS = frozenset(
    {*METRICS, *METRIC_FUNCTIONS, "acc"} - {*RENAMED, "KLD", "kld", "log_cosh"}
)
