"""A stranger's ResNet, pushed into dying by fine-tuning with too strong a penalty."""

from pathlib import Path

import keras
import numpy as np

from rescue_families import nets
from rescue_families.case import Data
from rescue_families.case import fit
from rescue_families.case import load
from rescue_families.family import Family

_TINY = Path(__file__).parents[3] / "shared" / "models" / "mlcommons+tiny"
_TASK = _TINY / "benchmark" / "training" / "image_classification"
MODEL = _TASK / "trained_models" / "pretrainedResnet.h5"


class ResNet(Family):
    """MLPerf Tiny's ResNet on CIFAR-10, after sparsity training that went too far.

    Network slimming (Liu 2017, arXiv:1708.06519) trains by SGD with momentum 0.9 and
    an L1 penalty on the gammas of BatchNormalization, of 1e-4 or 1e-5. Here it is
    0.1, ten times Keras' default for L1. The gammas go to 0, units whose beta is
    negative fall silent, and no gradient brings them back; the kernels stay nearly
    as they were. The arms train without the penalty, which is the fault, and with
    Adam; SGD's momentum is not taken over. Each seed has its own 2,000 images.
    """

    name = "resnet"
    dies = "a trained ResNet, L1(0.1) on the gammas, SGD at 0.01, CIFAR-10"
    epochs = 8
    killing_epochs = 3
    learning_rate = 0.01
    healthy_rate = 0.001
    #: Weight of the L1 penalty on each gamma.
    penalty = 0.1
    samples = 2000

    def missing(self):
        for path in (MODEL, nets.CIFAR):
            if not path.is_file():
                return f"{path} is not there"
        return ""

    def build(self):
        model = keras.saving.load_model(MODEL, compile=False)
        return _compile(model, keras.optimizers.Adam())

    def prepare(self):
        if hasattr(self, "model"):
            return
        super().prepare()
        self.trained = self.model.get_weights()
        self.draw_healthy = self._as_saved
        self.penalised = _with_penalty(self.model, self.penalty)
        _compile(self.penalised, keras.optimizers.SGD(momentum=0.9))

    def data(self, seed):
        every = nets.images_cifar(6000)
        rng = np.random.default_rng(seed)
        chosen = rng.choice(len(every.x), self.samples, replace=False)
        return Data(every.x[chosen], every.y[chosen], every.x_test, every.y_test)

    @property
    def killed(self):
        """The one with the penalty."""
        return self.penalised

    def kill(self, seed, callbacks=()):
        """Train the saved weights under the penalty, and take over what that gives."""
        load(self.penalised, self.trained, self.learning_rate)
        data = self.data(seed)
        epochs, batch_size = self.killing_epochs, self.batch_size
        fit(self.penalised, data, epochs, batch_size, seed, callbacks)
        load(self.model, self.penalised.get_weights(), self.learning_rate)

    def _as_saved(self, seed):
        """The twin starts from the saved weights; its seed orders the samples."""
        return self.trained


def _compile(model, optimizer):
    """Compile, for outputs that are probabilities, and build the slots."""
    loss = keras.losses.SparseCategoricalCrossentropy()
    model.compile(optimizer, loss, metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    return model


def _with_penalty(model, strength):
    """A copy with an L1 penalty on every gamma; its weights are drawn anew."""

    def copied(layer):
        config = layer.get_config()
        if isinstance(layer, keras.layers.BatchNormalization):
            config["gamma_regularizer"] = keras.regularizers.L1(strength)
        return type(layer).from_config(config)

    return keras.models.clone_model(model, clone_function=copied)
