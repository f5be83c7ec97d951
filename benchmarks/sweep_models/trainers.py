"""Models that train in their own way, as people write them (and keras.io shows)."""

import keras
import numpy as np
from keras import layers
from keras import ops

from benchmarks.sweep_models.case import Family
from benchmarks.sweep_models.case import Made
from benchmarks.sweep_models.case import normal

CASES = Family()


class Sampling(layers.Layer):
    """Draw from the normal distribution that an encoder describes."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        mean, log_var = inputs
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_var) * noise


class VAE(keras.Model):
    """As on keras.io: two models are given, and there is neither call nor config."""

    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")

    @property
    def metrics(self):
        return [self.total_loss_tracker]

    def train_step(self, data):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            mean, log_var, z = self.encoder(data)
            error = ops.mean(ops.square(data - self.decoder(z)))
            spread = -0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var))
            loss = error + ops.mean(spread)
        weights = self.trainable_weights
        gradients = tape.gradient(loss, weights)
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        self.total_loss_tracker.update_state(loss)
        return {"loss": self.total_loss_tracker.result()}


class ConfiguredVAE(VAE):
    """The same with a config."""

    def get_config(self):
        written = map(keras.saving.serialize_keras_object, (self.encoder, self.decoder))
        return {
            **super().get_config(),
            **dict(zip(("encoder", "decoder"), written, strict=True)),
        }

    @classmethod
    def from_config(cls, config):
        for key in ("encoder", "decoder"):
            config[key] = keras.saving.deserialize_keras_object(config[key])
        return cls(**config)


class OwnVAE(keras.Model):
    """A VAE that makes its parts itself, with a call."""

    def __init__(self, latent_dim=2, **kwargs):
        super().__init__(**kwargs)
        self.latent_dim = latent_dim
        self.hidden = layers.Dense(8, activation="relu")
        self.mean, self.log_var = layers.Dense(latent_dim), layers.Dense(latent_dim)
        self.sampling = Sampling()
        self.decoder = keras.Sequential(
            [layers.Dense(8, activation="relu"), layers.Dense(6)]
        )

    def call(self, inputs, training=False):
        hidden = self.hidden(inputs)
        mean, log_var = self.mean(hidden), self.log_var(hidden)
        z = self.sampling((mean, log_var)) if training else mean
        self.add_loss(ops.mean(ops.square(mean)))
        return self.decoder(z)


class GAN(keras.Model):
    """As on keras.io: two optimizers that a `compile` of its own takes."""

    def __init__(self, discriminator, generator, latent_dim):
        super().__init__()
        self.discriminator = discriminator
        self.generator = generator
        self.latent_dim = latent_dim
        self.seed_generator = keras.random.SeedGenerator(1337)

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer = d_optimizer
        self.g_optimizer = g_optimizer
        self.loss_fn = loss_fn
        self.d_loss_metric = keras.metrics.Mean(name="d_loss")

    @property
    def metrics(self):
        return [self.d_loss_metric]

    def train_step(self, real):
        import tensorflow as tf

        count = ops.shape(real)[0]
        noise = keras.random.normal((count, self.latent_dim), seed=self.seed_generator)
        both = ops.concatenate([self.generator(noise), real], axis=0)
        labels = ops.concatenate([ops.ones((count, 1)), ops.zeros((count, 1))], axis=0)
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(both))
        self._step(tape, d_loss, self.discriminator, self.d_optimizer)
        with tf.GradientTape() as tape:
            fooled = self.discriminator(self.generator(noise))
            g_loss = self.loss_fn(ops.zeros((count, 1)), fooled)
        self._step(tape, g_loss, self.generator, self.g_optimizer)
        self.d_loss_metric.update_state(d_loss)
        return {"d_loss": self.d_loss_metric.result(), "g_loss": g_loss}

    def _step(self, tape, loss, part, optimizer):
        weights = part.trainable_weights
        gradients = tape.gradient(loss, weights)
        optimizer.apply_gradients(zip(gradients, weights, strict=True))


class ConfiguredGAN(GAN):
    """The same with a config."""

    def get_config(self):
        models = {"discriminator": self.discriminator, "generator": self.generator}
        written = {
            key: keras.saving.serialize_keras_object(each)
            for key, each in models.items()
        }
        return {**written, "latent_dim": self.latent_dim}

    @classmethod
    def from_config(cls, config):
        for key in ("discriminator", "generator"):
            config[key] = keras.saving.deserialize_keras_object(config[key])
        return cls(**config)


class OwnGAN(GAN):
    """The same, which makes its parts itself."""

    def __init__(self, latent_dim=3):
        super().__init__(*_discriminator_and_generator(), latent_dim)


class Distiller(keras.Model):
    """As on keras.io: a student learns from a teacher, by `compute_loss`."""

    def __init__(self, student, teacher):
        super().__init__()
        self.teacher = teacher
        self.student = student

    def compile(self, optimizer, metrics, student_loss_fn, alpha=0.1, temperature=3):
        super().compile(optimizer=optimizer, metrics=metrics)
        self.student_loss_fn = student_loss_fn
        self.alpha = alpha
        self.temperature = temperature

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **kwargs):
        teacher = ops.softmax(self.teacher(x, training=False) / self.temperature)
        student = ops.log_softmax(y_pred / self.temperature)
        distilled = -ops.mean(ops.sum(teacher * student, axis=-1))
        hard = self.student_loss_fn(y, y_pred)
        return self.alpha * hard + (1 - self.alpha) * distilled

    def call(self, x):
        return self.student(x)


class Siamese(keras.Model):
    """One embedding for two inputs."""

    def __init__(self, embedding=None, **kwargs):
        super().__init__(**kwargs)
        self.embedding = embedding or keras.Sequential(
            [layers.Dense(8, activation="relu"), layers.Dense(4)]
        )
        self.distance = layers.Lambda(lambda pair: ops.abs(pair[0] - pair[1]))
        self.head = layers.Dense(1, activation="sigmoid")

    def call(self, inputs):
        left, right = inputs
        return self.head(self.distance([self.embedding(left), self.embedding(right)]))


class DQN(keras.Model):
    """A network and its target."""

    def __init__(self, n_actions=2, hidden=(8, 8)):
        super().__init__()
        self.online = keras.Sequential(
            [layers.Dense(n, activation="relu") for n in hidden]
            + [layers.Dense(n_actions)]
        )
        self.target = keras.Sequential(
            [layers.Dense(n, activation="relu") for n in hidden]
            + [layers.Dense(n_actions)]
        )
        self.target.trainable = False

    def call(self, observation):
        return ops.stack([self.online(observation), self.target(observation)], axis=1)


class PINN(keras.Model):
    """A network whose loss has derivatives with respect to its inputs."""

    def __init__(self, units=8, depth=3, name="pinn"):
        super().__init__(name=name)
        self.stack = [layers.Dense(units, activation="relu") for _ in range(depth)]
        self.out = layers.Dense(1)
        self.viscosity = self.add_weight(shape=(), initializer="ones", name="viscosity")

    def call(self, inputs):
        t, x = inputs["t"], inputs["x"]
        hidden = ops.concatenate([t, x], axis=-1)
        for layer in self.stack:
            hidden = layer(hidden)
        return self.out(hidden) * self.viscosity

    def train_step(self, data):
        import tensorflow as tf

        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(data["t"])
                u = self(data)
            loss = ops.mean(ops.square(inner.gradient(u, data["t"]) - u))
        gradients = outer.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(
            zip(gradients, self.trainable_weights, strict=True)
        )
        return {"loss": loss}


class ActorCritic(keras.Model):
    """A common body and two heads; the outputs are a tuple."""

    def __init__(self, num_actions, num_hidden_units):
        super().__init__()
        self.common = layers.Dense(num_hidden_units, activation="relu")
        self.actor = layers.Dense(num_actions)
        self.critic = layers.Dense(1)

    def call(self, inputs):
        x = self.common(inputs)
        return self.actor(x), self.critic(x)


@CASES.case(refused="VAE, whose constructor takes arguments")
def vae():
    """The VAE of keras.io, trained for a step; Keras cannot save it either."""
    return _trained_vae(VAE)


@CASES.case
def vae_with_config():
    """One that says in its config what it was given."""
    return _trained_vae(ConfiguredVAE)


def _trained_vae(cls):
    inputs = keras.Input((6,))
    x = layers.Dense(8, activation="relu")(inputs)
    mean, log_var = layers.Dense(2)(x), layers.Dense(2)(x)
    z = Sampling()([mean, log_var])
    encoder = keras.Model(inputs, [mean, log_var, z], name="encoder")
    latent = keras.Input((2,))
    x = layers.Dense(8, activation="relu")(latent)
    decoder = keras.Model(latent, layers.Dense(6)(x), name="decoder")
    model = cls(encoder, decoder)
    model.compile(keras.optimizers.Adam())
    _train(model, normal(8, 6))
    return Made(model, parts=lambda m: [(m.decoder, normal(4, 2))])


@CASES.case
def vae_with_call():
    """A VAE that makes its layers itself and adds a loss."""
    model = OwnVAE(latent_dim=2)
    model.compile("adam", "mse")
    model.train_on_batch(normal(8, 6), normal(8, 6))
    return Made(model, normal(4, 6))


@CASES.case(refused="GAN, whose constructor takes arguments")
def gan():
    """The GAN of keras.io, trained for a step; Keras cannot save it either."""
    return _trained_gan(GAN(*_discriminator_and_generator(), latent_dim=3))


@CASES.case
def gan_with_config():
    """One that says in its config what it was given."""
    return _trained_gan(ConfiguredGAN(*_discriminator_and_generator(), latent_dim=3))


@CASES.case
def gan_made_inside():
    """One whose constructor needs no argument."""
    return _trained_gan(OwnGAN())


def _discriminator_and_generator():
    discriminator = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8), layers.ReLU(), layers.Dense(1)],
        name="discriminator",
    )
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(8, activation="relu"), layers.Dense(6)],
        name="generator",
    )
    return discriminator, generator


def _trained_gan(model):
    model.compile(
        d_optimizer=keras.optimizers.Adam(3e-4),
        g_optimizer=keras.optimizers.Adam(4e-4, beta_1=0.5),
        loss_fn=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    _train(model, normal(8, 6))
    return Made(
        model,
        parts=lambda m: [
            (m.generator, normal(4, 3)),
            (m.discriminator, normal(4, 6)),
        ],
    )


@CASES.case(refused="Distiller, whose constructor takes arguments")
def distiller():
    """Student and teacher with a `compile` of their own."""
    teacher = keras.Sequential(
        [keras.Input((6,)), layers.Dense(16, activation="relu"), layers.Dense(3)]
    )
    student = keras.Sequential(
        [keras.Input((6,)), layers.Dense(4, activation="relu"), layers.Dense(3)]
    )
    teacher.trainable = False
    model = Distiller(student=student, teacher=teacher)
    model.compile(
        optimizer=keras.optimizers.Adam(),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
        student_loss_fn=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        alpha=0.3,
    )
    model.train_on_batch(normal(8, 6), np.arange(8) % 3)
    return Made(model, normal(4, 6))


@CASES.case
def siamese():
    """Two inputs through one embedding."""
    model = Siamese()
    model((normal(4, 6), normal(4, 6)))
    return Made(model, [normal(4, 6), normal(4, 6) * 2])


@CASES.case
def dqn():
    """A network and its frozen target."""
    model = DQN()
    model.compile(keras.optimizers.RMSprop(), "mse")
    model.train_on_batch(normal(4, 3), normal(4, 2, 2))
    return Made(model, normal(4, 3))


@CASES.case
def pinn():
    """Inputs by name, and derivatives in the training step."""
    model = PINN()
    data = {"t": normal(4, 1), "x": normal(4, 1)}
    model.compile("adam")
    model(data)
    _train(model, data)
    return Made(model, data)


@CASES.case(refused="ActorCritic, whose constructor takes arguments")
def actor_critic():
    """Two outputs as a tuple."""
    model = ActorCritic(2, 8)
    model(normal(4, 3))
    return Made(model, normal(4, 3))


def _train(model, data):
    """One step of a train_step that is written for TensorFlow."""
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        dataset = tf.data.Dataset.from_tensor_slices(data).batch(8)
        model.fit(dataset, epochs=1, verbose=0)
