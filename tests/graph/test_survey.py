"""A verb looks at a model once, and hands on what it saw."""

import keras
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.graph import sites
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.graph.view import View
from keras_rectifiers.surgery import rewrite


@pytest.fixture
def model():
    """Three PReLUs, compiled."""
    inputs = x = keras.Input((4,))
    for _ in range(3):
        x = layers.PReLU()(layers.Dense(4)(x))
    made = keras.Model(inputs, layers.Dense(1)(x))
    made.compile("adam", "mse")
    return made


@pytest.fixture
def counts(monkeypatch):
    """How often one document is read into a view; searches, and rewrites."""
    made = {"view": 0, "find": 0, "rewrite": 0}
    read = []

    def reading(self, document, view=View.__init__):
        read.append(document)
        made["view"] = max(sum(each is one for one in read) for each in read)
        view(self, document)

    def counting(name, function):
        def counted(*args, **kwargs):
            made[name] += 1
            return function(*args, **kwargs)

        return counted

    monkeypatch.setattr(View, "__init__", reading)
    monkeypatch.setattr(sites, "find", counting("find", sites.find))
    monkeypatch.setattr(rewrite, "_jobs", counting("rewrite", rewrite._jobs))
    return made


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_is_looked_at_once(model, counts, tmp_path, suffix):
    """Planning, the optimizer's state and writing share one survey."""
    source = tmp_path / f"model{suffix}"
    model.save(source)

    keras_rectifiers.convert_file(
        source, tmp_path / "new.keras", "leaky_relu", of="prelu"
    )

    assert counts == {"view": 1, "find": 1, "rewrite": 1}


def test_a_fold_looks_once(model, counts, tmp_path):
    """Its decisions and its plan are about the same survey."""
    model.save(tmp_path / "model.keras")

    keras_rectifiers.fold_file(tmp_path / "model.keras", tmp_path / "new.keras")

    assert counts == {"view": 1, "find": 1, "rewrite": 1}


def test_a_live_model_is_looked_at_once(model, counts):
    """Its plan is carried out on the document that it was made for."""
    keras_rectifiers.convert(model, "leaky_relu", of="prelu")

    assert counts == {"view": 1, "find": 1, "rewrite": 1}


def test_an_estimate_looks_once(model, counts):
    """Intervals are followed through the places in which rectifiers were found."""
    keras_rectifiers.estimate(model)

    assert counts == {"view": 1, "find": 1, "rewrite": 0}


def test_parts_are_worked_out_when_they_are_asked_for(model):
    """A survey costs nothing until then."""
    document = keras.saving.serialize_keras_object(model)

    survey = Survey(document)

    assert vars(survey) == {"document": document}
    assert survey.found is survey.found
