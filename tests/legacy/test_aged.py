"""Files as older versions of Keras wrote them, brought up to date."""

import keras
import numpy as np
import pytest

from keras_rectifiers.conversion.upgrade import upgrade_file
from keras_rectifiers.errors import ArchiveError
from tests.legacy import aged_containers
from tests.legacy import aged_dialects
from tests.legacy import aged_keras1
from tests.legacy.aged import AGED
from tests.legacy.aged import inputs_of
from tests.legacy.corpus import difference
from tests.legacy.corpus import run

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="the reference runs on TensorFlow, and outputs are held to its kernels",
)

#: Modules whose import declares the cases.
DECLARED = (aged_containers, aged_dialects, aged_keras1)
OPENED = [pytest.param(one, id=name) for name, one in AGED.items() if not one.refused]
REFUSED = [pytest.param(one, id=name) for name, one in AGED.items() if one.refused]


@pytest.mark.parametrize("one", OPENED)
def test_an_old_file_stays_the_same_function(one, tmp_path):
    """Plain Keras opens the result, and its outputs are the reference's."""
    old, source, weights = one.make(tmp_path)
    inputs = inputs_of(one, old)
    alone = source.suffix == ".json" and weights is None
    target = tmp_path / ("new.json" if alone else "new.keras")

    upgrade_file(source, target, weights=weights)

    if alone:
        new = keras.models.model_from_json(target.read_text())
        new.set_weights(old.get_weights())
    else:
        new = keras.saving.load_model(target, **one.opening())
    assert difference(run(old, inputs), run(new, inputs)) <= one.tolerance


@pytest.mark.parametrize("one", REFUSED)
def test_what_cannot_be_carried_over_is_refused_with_a_sentence(one, tmp_path):
    """The error says what it is; nothing is written."""
    _, source, weights = one.make(tmp_path)
    target = tmp_path / "new.keras"

    with pytest.raises(ArchiveError, match=one.refused):
        upgrade_file(source, target, weights=weights)

    assert not target.exists()


def test_an_old_optimizer_is_there_with_its_settings(tmp_path):
    """`lr` and `decay` of Keras 2.2 become a learning rate with its decay."""
    _, source, _ = AGED["optimizer of Keras 2.2 (`lr`, `decay`)"].make(tmp_path)

    upgrade_file(source, tmp_path / "new.keras")
    new = keras.saving.load_model(tmp_path / "new.keras")

    assert isinstance(new.optimizer, keras.optimizers.Adam)
    assert float(new.optimizer.learning_rate) == pytest.approx(0.0005)
    new.fit(np.ones((4, 6)), np.ones((4, 1)), verbose=0)
    assert new.loss == "mean_squared_error"
