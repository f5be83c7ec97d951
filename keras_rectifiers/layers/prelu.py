"""PReLU: slopes for negative input that are learned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from typing import Self

import keras
import numpy as np
from keras import ops

from keras_rectifiers import specs
from keras_rectifiers.layers import arguments
from keras_rectifiers.layers import kernels
from keras_rectifiers.layers import plain_forms
from keras_rectifiers.layers import tracing
from keras_rectifiers.layers.scaling import SlopeTraining

_MIN_RANK = 2


@keras.saving.register_keras_serializable(package=specs.PACKAGE, name="PReLU")
class PReLU(keras.layers.Layer):
    """Rectifier whose slopes for negative input are learned, with an optional cap.

    Value: `f(x) = min(x, max_value)` for `x > 0`, else `min(alpha * x, max_value)`.
    Gradient for `x`: 1 for `x > 0`, else `alpha`. Gradient for `alpha`: the sum of
    `dy * x` over the `x <= 0` that share the slope, so a slope of 0 still learns.
    Both are 0 where the value has reached `max_value`.

    At 0 the gradient is `alpha`, on every backend. At -inf the value is 0 where
    `alpha` is 0, else `alpha * -inf`; its term in alpha's gradient is 0 where `dy`
    is 0. NaN stays NaN and passes its gradient on. Where `alpha` is 0, or the
    compute dtype rounds it to 0, the value is that of `keras.ops.relu`, bit for bit
    (but that on TensorFlow -0.0 becomes 0.0 in every lane, where ReLU keeps some).
    A model that is exported holds `relu(x) - alpha * relu(-x)` instead, which
    runtimes turn into one PReLU; there a slope of 0 gives NaN at -inf.

    Input: rank 2 or more, floating point, `(batch, ..., channels)`, or
    `(batch, channels, ...)` for `data_format="channels_first"`. Output: the same
    shape, in the compute dtype. Lengths may be None along shared axes. Masks are
    passed on. `alpha` is kept, and its gradient summed, in the variable dtype:
    float32 under a mixed policy.

    Args:
        alpha_initializer: Starting slopes. Defaults to `"zeros"`: the layer starts
            as a ReLU. (The paper starts at 0.25.)
        alpha_regularizer: Regularizer of the slopes. Defaults to None.
        alpha_constraint: Constraint of the slopes. Defaults to None.
        shared_axes: Axes along which positions share a slope. `"spatial"`, the
            default: all but batch and channels, `alpha` is a vector of shape
            `(channels,)`, and the layer takes input of any rank. (In
            `keras.layers.PReLU` no axis is shared by default.) None: one slope for
            each unit. An axis or a list of axes, negative ones counted from the
            end: these. In the last two cases `alpha` has the shape of the input
            without the batch axis, with 1 for shared axes.
        max_value: Upper bound of the output, a finite number above 0. Defaults to
            None, no bound.
        data_format: `"channels_last"` or `"channels_first"`: where `"spatial"`
            finds the channels. Defaults to None: what
            `keras.config.image_data_format()` says now; the layer's config states
            the answer. A config that states none means `"channels_last"`.
        trained_channels: Channels whose slopes learn, from 0. The slopes of all
            others get no gradient, no penalty's either, and are not constrained: a
            slope of 0 stays exactly 0, and its unit a ReLU. Goes with
            `shared_axes="spatial"`. Defaults to None: all.
        learning_rate_multiplier: How many times faster slopes learn than the rest,
            a finite number above 0, default 1. The variable holds
            `alpha / multiplier` and gets alpha's gradient, so a step of any
            optimizer, Adam too, moves `alpha` by the multiple. `alpha` is then a
            tensor that is computed from it.
        **kwargs: Arguments of every Keras layer, such as `name` and `dtype`.

    Raises:
        TypeError: If a numeric argument is not a number, or an axis or a channel is not
            an integer.
        ValueError: If `max_value` or `learning_rate_multiplier` is not finite and
            above 0, an axis is the batch axis or does not exist, a length is None
            along an axis that is not shared, or a trained channel does not exist.

    Example:
        >>> import keras
        >>> import keras_rectifiers
        >>> layer = keras_rectifiers.layers.PReLU(alpha_initializer="ones")
        >>> y = layer(keras.ops.array([[-4.0, 0.0, 2.0]]))
        >>> print(keras.ops.convert_to_numpy(y))
        [[-4.  0.  2.]]
        >>> tuple(layer.alpha.shape)
        (3,)

    Reference:
        He, Zhang, Ren and Sun 2015, "Delving Deep into Rectifiers",
        arXiv:1502.01852, section 2.1, equations 1 and 9.
    """

    # The module that a saved file names must not move with the source.
    __module__ = specs.LAYERS_MODULE

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: str | int | list[int] | tuple[int, ...] | None = arguments.SPATIAL,
        max_value: float | None = None,
        data_format: str | None = None,
        trained_channels: Iterable[int] | None = None,
        learning_rate_multiplier: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        name = type(self).__name__
        self.alpha_initializer = keras.initializers.get(alpha_initializer)
        self.alpha_regularizer = keras.regularizers.get(alpha_regularizer)
        self.alpha_constraint = keras.constraints.get(alpha_constraint)
        self.shared_axes = arguments.shared_axes(shared_axes, name)
        self.max_value = arguments.upper_bound(max_value, name, self.compute_dtype)
        # Resolved here and saved resolved: a file must mean the same everywhere.
        self.data_format = (
            arguments.data_format(data_format, name) or keras.config.image_data_format()
        )
        self.trained_channels = arguments.trained_channels(
            trained_channels, self.shared_axes, name
        )
        self.learning_rate_multiplier = arguments.multiplier(
            learning_rate_multiplier, name, self.variable_dtype
        )
        self._check_start(name)
        self.supports_masking = True

    def _check_start(self, name: str) -> None:
        """Refuse a constant start that is infinite where it is stored or computed."""
        start = getattr(self.alpha_initializer, "value", None)
        if isinstance(self.alpha_initializer, keras.initializers.Constant):
            stored = np.asarray(start, "float64") / self.learning_rate_multiplier
            for values, dtype in (
                (start, self.compute_dtype),
                (stored.tolist(), self.variable_dtype),
            ):
                arguments.check_held(values, "alpha_initializer", name, dtype)

    @property
    def _training(self) -> SlopeTraining:
        return SlopeTraining(self.learning_rate_multiplier, self.trained_channels)

    @property
    def alpha(self) -> Any:
        """The slopes: a variable, or computed from it where it is training."""
        if self.learning_rate_multiplier == 1:
            return self._alpha
        return ops.multiply(self._alpha, self.learning_rate_multiplier)

    def build(self, input_shape: Any) -> None:
        rank = len(input_shape)
        if rank < _MIN_RANK:
            raise ValueError(
                "The input of PReLU must have a batch axis and at least one other "
                f"axis. Received: input_shape={tuple(input_shape)} (layer "
                f'"{self.name}"). Add an axis.'
            )
        axes = self._own_axes(rank)
        lengths = {axis: input_shape[axis] for axis in axes}
        unknown = [axis for axis, length in lengths.items() if length is None]
        if unknown:
            raise ValueError(
                f"PReLU must know the length of each axis along which slopes differ. "
                f"Received: input_shape={tuple(input_shape)}, unknown along axes "
                f"{unknown}, with shared_axes={self.shared_axes} "
                f'(layer "{self.name}"). '
                "Share these axes, or fix their lengths."
            )
        if self.shared_axes == arguments.SPATIAL:
            shape = tuple(lengths.values())
            self.input_spec = keras.layers.InputSpec(
                min_ndim=_MIN_RANK, axes={self._channel_axis: shape[0]}
            )
        else:
            shape = tuple(lengths.get(axis, 1) for axis in range(1, rank))
            self.input_spec = keras.layers.InputSpec(ndim=rank, axes=lengths)
        if self.trained_channels is not None:
            arguments.check_channels(self.trained_channels, shape[0], self.name)
        training = self._training
        self._alpha = self.add_weight(
            name="alpha",
            shape=shape,
            initializer=training.initializer(self.alpha_initializer),
            regularizer=training.regularizer(self.alpha_regularizer),
            constraint=training.constraint(self.alpha_constraint),
            # The kernel casts, so that the gradient is summed in full precision.
            autocast=False,
        )

    @property
    def _channel_axis(self) -> int:
        return 1 if self.data_format == "channels_first" else -1

    def _own_axes(self, rank: int) -> tuple[int, ...]:
        """Axes along which slopes differ, counted from the front."""
        if isinstance(self.shared_axes, str):
            return (self._channel_axis % rank,)
        shared = arguments.positive_axes(
            list(self.shared_axes or ()), rank, type(self).__name__
        )
        return tuple(axis for axis in range(1, rank) if axis not in shared)

    def call(self, inputs: Any) -> Any:
        x = kernels.tensor(inputs, self)
        shape = tuple(self._alpha.shape)
        if self.shared_axes == arguments.SPATIAL and self._channel_axis == 1:
            shape += (1,) * (len(x.shape) - _MIN_RANK)
        form = tracing.form(x)
        if form is not None:
            if form == "sum" and not tracing.holds_for_sum(self):
                form = "prelu"
            alpha = ops.reshape(self.alpha, shape)
            return plain_forms.prelu(x, alpha, self.max_value, form)
        # The reshape also reads the variable: a kernel takes tensors only.
        alpha = ops.reshape(self._training.slopes(self._alpha), shape)
        return kernels.prelu(x, alpha, self.max_value)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha_initializer": keras.initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": keras.regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": keras.constraints.serialize(self.alpha_constraint),
            "shared_axes": (
                self.shared_axes
                if self.shared_axes is None or isinstance(self.shared_axes, str)
                else list(self.shared_axes)
            ),
            "max_value": self.max_value,
            "data_format": self.data_format,
            "trained_channels": (
                None if self.trained_channels is None else list(self.trained_channels)
            ),
            "learning_rate_multiplier": self.learning_rate_multiplier,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        # A file that names no format must not mean what this machine prefers.
        return cls(
            **{**config, "data_format": config.get("data_format") or "channels_last"}
        )
