"""Classes that make their graph in a constructor, as KerasHub's backbones and tasks."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.errors import UnsupportedModelError


class Words(layers.Layer):
    """A tokenizer: its vocabulary is in no config, but in a file of its own."""

    def __init__(self, vocabulary=None, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary = vocabulary

    def get_config(self):
        return {**super().get_config(), "vocabulary": None}

    def save_assets(self, dir_path):
        Path(dir_path, "words.txt").write_text("\n".join(self.vocabulary))

    def load_assets(self, dir_path):
        self.vocabulary = Path(dir_path, "words.txt").read_text().split()

    def numbers(self, texts):
        return np.array([[self.vocabulary.index(w) for w in t.split()] for t in texts])


class Preprocessor(layers.Layer):
    """Makes a layer at its first call."""

    def __init__(self, words, **kwargs):
        super().__init__(**kwargs)
        self.words = words
        self.packer = None

    def prepared(self, texts):
        if self.packer is None:
            self._tracker.unlock()
            self.packer = layers.Flatten()
        return self.words.numbers(texts)

    def get_config(self):
        words = keras.saving.serialize_keras_object(self.words)
        return {**super().get_config(), "words": words}

    @classmethod
    def from_config(cls, config):
        config["words"] = keras.saving.deserialize_keras_object(config["words"])
        return cls(**config)


class Greedy:
    """What a `compile` puts in the place of what the constructor made."""

    def __init__(self, best=1):
        self.best = best

    def get_config(self):
        return {"best": self.best}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class Task(keras.Model):
    """A graph, a preprocessor beside it, and a layer with weights beside it."""

    def __init__(self, preprocessor, width=4):
        inputs = keras.Input((3,), dtype="int32")
        x = layers.Flatten()(layers.Embedding(8, 2)(inputs))
        x = layers.Dense(width, activation="relu")(x)
        super().__init__(inputs, layers.Dense(2)(x))
        self.preprocessor, self.width = preprocessor, width
        self.spare = layers.Dense(2)
        self.spare.build((None, 3))
        self.sampler = Greedy()

    def compile(self, sampler, **options):
        super().compile(**options)
        self.sampler = sampler

    def predict(self, texts, **options):
        return super().predict(self.preprocessor.prepared(texts), **options)

    def get_config(self):
        preprocessor = keras.saving.serialize_keras_object(self.preprocessor)
        return {"preprocessor": preprocessor, "width": self.width}

    @classmethod
    def from_config(cls, config):
        config["preprocessor"] = keras.saving.deserialize_keras_object(
            config["preprocessor"]
        )
        return cls(**config)


_TEXTS = ["a b c", "c c a"]


@pytest.fixture
def task():
    """A compiled task."""
    model = Task(Preprocessor(Words(["a", "b", "c"])))
    model.compile(Greedy(best=3), optimizer="adam", loss="mse")
    return model


# A class with a compile of its own is compiled by hand after loading.
@pytest.mark.filterwarnings("ignore:.compile... was not called")
def test_what_a_task_holds_beside_its_graph_is_carried(task, tmp_path):
    """Weights outside the graph, and the vocabulary of a tokenizer."""
    converted = keras_rectifiers.convert(task)

    assert type(converted).__name__ == "Task"
    assert isinstance(converted, Task)
    assert np.array_equal(task.spare.kernel, converted.spare.kernel)
    assert converted.preprocessor.words is not task.preprocessor.words
    assert np.array_equal(task.predict(_TEXTS), converted.predict(_TEXTS))
    converted.save(tmp_path / "task.keras")
    own = {"Task": Task, "Preprocessor": Preprocessor, "Words": Words}
    opened = keras.saving.load_model(tmp_path / "task.keras", custom_objects=own)
    assert np.array_equal(task.predict(_TEXTS), opened.predict(_TEXTS))


def test_what_a_compile_put_in_the_place_of_an_object_is_put_there_again(task):
    """The sampler of a task that writes texts is such an object."""
    converted = keras_rectifiers.convert(task)

    assert converted.sampler is not task.sampler
    assert converted.sampler.best == 3


def test_layers_that_a_first_call_makes_are_no_difference(task):
    """The preprocessor of the original was called, and that of the copy was not."""
    task.predict(_TEXTS)

    converted = keras_rectifiers.convert(task)

    assert np.array_equal(task.predict(_TEXTS), converted.predict(_TEXTS))


class Broken(layers.Layer):
    """A layer whose get_config has a mistake."""

    def call(self, inputs):
        return inputs

    def get_config(self):
        return {"rate": self.no_such_attribute}


class AroundBroken(keras.Model):
    """Hides it in a graph that it makes itself."""

    def __init__(self):
        inputs = keras.Input((3,))
        x = Broken()(layers.Dense(4, activation="relu")(inputs))
        super().__init__(inputs, layers.Dense(2)(x))

    def get_config(self):
        return {}


def test_a_graph_that_cannot_be_written_is_looked_at_as_python_code_is():
    """Its class makes the copy, so that no layer needs a config."""
    model = AroundBroken()
    data = np.ones((2, 3), "float32")

    converted = keras_rectifiers.convert(model)

    assert len(converted.variables) == len(model.variables) + 1
    assert np.array_equal(model(data), converted(data))


def test_a_get_config_that_fails_is_told_in_one_sentence():
    """Whatever it raises."""
    inputs = keras.Input((3,))
    x = Broken(name="wrong")(layers.Dense(4, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))

    with pytest.raises(UnsupportedModelError, match=r"'wrong'.*AttributeError"):
        keras_rectifiers.convert(model)
