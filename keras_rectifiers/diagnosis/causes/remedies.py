"""What to do about each cause, and where that comes from."""

from __future__ import annotations

REMEDIES = {
    "collapsed_upstream": (
        "Mend {origin!r} first and look again: keras_rectifiers.convert(model, "
        "'leaky_relu') lets a gradient through it."
    ),
    "learning_rate": (
        "Train again from fresh weights with a tenth of the learning rate, a warm-up "
        "(keras.optimizers.schedules.CosineDecay(warmup_steps=...)) or clipped "
        "gradients (clipnorm=1.0)."
    ),
    "input_scale": (
        "Scale the data: keras.layers.Rescaling(1 / 255) for pixels, or "
        "keras.layers.Normalization() with adapt(x_train), as the model's first layer."
    ),
    "initialisation": (
        "Use kernel_initializer='he_normal' and wider layers; a layer that is born "
        "dead needs a slope: keras_rectifiers.convert(model, 'leaky_relu')."
    ),
    "bias_shift": (
        "Set the biases of these units back to 0 and begin with "
        "bias_initializer='zeros'; keras_rectifiers.convert(model, 'prelu') lets "
        "training move them by itself."
    ),
    "batch_norm": (
        "Set beta of these units to 0 and gamma to 1; where moving statistics are off, "
        "run some batches with training=True, or lower momentum= (0.9)."
    ),
    "not_finite_weights": (
        "These weights are lost: load a checkpoint from before. Then train with a "
        "lower learning rate and clipnorm=1.0, on data without NaN, in float32 where "
        "half precision overflows."
    ),
    "not_finite_data": "Remove or fill these samples of the data, and look again.",
    "not_finite_values": (
        "Values overflow inside the model: scale the data, lower the learning rate and "
        "set clipnorm=1.0, and use float32 where half precision overflows."
    ),
    "unknown": (
        "keras_rectifiers.convert(model, 'prelu') and a few epochs show whether these "
        "units are missed."
    ),
}

REFERENCES = {
    "learning_rate": (
        "Karpathy, CS231n notes, 'Ratio of weights:updates': about 1e-3 a step"
    ),
    "input_scale": "LeCun et al. 1998, 'Efficient BackProp', section 4.3",
    "initialisation": (
        "He et al. 2015, arXiv:1502.01852, equation 10; Lu et al. 2019, "
        "arXiv:1903.06733"
    ),
    "batch_norm": "Ioffe & Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2",
}
