"""A small model, optimizers for it, and batches to train it on."""

import keras
import numpy as np
from keras import layers

OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(1e-2),
    "amsgrad": lambda: keras.optimizers.Adam(1e-2, amsgrad=True),
    "adamw_ema": lambda: keras.optimizers.AdamW(1e-2, use_ema=True, ema_momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(1e-2, momentum=0.9, nesterov=True),
    "sgd": lambda: keras.optimizers.SGD(1e-2),
    "rmsprop": lambda: keras.optimizers.RMSprop(1e-2, momentum=0.5, centered=True),
    "adagrad": lambda: keras.optimizers.Adagrad(1e-2),
    "adadelta": lambda: keras.optimizers.Adadelta(1.0),
    "adamax": lambda: keras.optimizers.Adamax(1e-2),
    "nadam": lambda: keras.optimizers.Nadam(1e-2),
    "ftrl": lambda: keras.optimizers.Ftrl(1e-2),
    "lion": lambda: keras.optimizers.Lion(1e-3),
    "lamb": lambda: keras.optimizers.Lamb(1e-2),
    "adafactor": lambda: keras.optimizers.Adafactor(1e-2),
    "muon": lambda: keras.optimizers.Muon(1e-2),
    "schedule_free": lambda: keras.optimizers.ScheduleFreeAdamW(1e-2),
    "accumulating": lambda: keras.optimizers.Adam(1e-2, gradient_accumulation_steps=2),
    "scheduled": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(1e-2, 100)
    ),
    "loss_scaled": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(1e-2)
    ),
}


def small_model(optimizer=None, **options):
    """Convolution, normalization and dropout, fused and bare rectifiers."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="rectify")(x)
    # Unseeded, torch draws from one global generator for all models.
    x = layers.Dropout(0.4, seed=7, name="drop")(x)
    x = layers.Dense(6, activation="relu", name="dense")(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(3, name="logits")(x), name="small")
    if optimizer is not None:
        model.compile(
            optimizer,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            **options,
        )
    return model


def batches(count=4):
    """Fixed batches of images and labels."""
    rng = np.random.default_rng(5)
    return [
        (
            rng.normal(size=(16, 8, 8, 3)).astype("float32"),
            rng.integers(0, 3, 16).astype("int32"),
        )
        for _ in range(count)
    ]


def train(model, data):
    """The loss of each batch."""
    logs = [model.train_on_batch(x, y, return_dict=True) for x, y in data]
    return [float(each["loss"]) for each in logs]
