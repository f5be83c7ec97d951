"""Targets appear whole, or not at all."""

from pathlib import Path

import pytest

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.exporting import placing
from keras_rectifiers.exporting.formats import FORMATS


def _names(folder):
    return sorted(each.name for each in folder.iterdir())


def _write(place):
    for ending in (place.file_format.suffix, *place.file_format.beside):
        place.path.with_suffix(ending).write_text(ending)


def test_all_files_of_a_format_get_their_names(tmp_path):
    """OpenVINO has two."""
    target = tmp_path / "model.xml"
    with placing.placing(target, FORMATS["openvino"], overwrite=False) as place:
        _write(place)
        place.keep()

    assert _names(tmp_path) == ["model.bin", "model.xml"]
    assert (tmp_path / "model.bin").read_text() == ".bin"


def test_what_is_not_kept_goes(tmp_path):
    """An error in the block leaves the folder as it was."""
    target = tmp_path / "model.tflite"
    target.write_text("before")

    def fail():
        with placing.placing(target, FORMATS["litert"], overwrite=True) as place:
            _write(place)
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()

    assert _names(tmp_path) == ["model.tflite"]
    assert target.read_text() == "before"


def test_a_target_that_appears_meanwhile_stays(tmp_path):
    """Another program's file is not replaced."""
    target = tmp_path / "model.tflite"
    with placing.placing(target, FORMATS["litert"], overwrite=False) as place:
        _write(place)
        target.write_text("of another program")
        with pytest.raises(ArchiveError, match="appeared"):
            place.keep()

    assert target.read_text() == "of another program"


def test_a_folder_comes_back_where_the_new_one_cannot_be_placed(tmp_path):
    """The old SavedModel is there again where giving the name to the new one fails."""
    target = tmp_path / "served"
    target.mkdir()
    (target / "saved_model.pb").write_text("old")
    with (
        placing.placing(target, FORMATS["savedmodel"], overwrite=True) as place,
        pytest.raises(ArchiveError, match="writable"),
    ):
        place.keep()  # nothing was written that could get the name

    assert _names(tmp_path) == ["served"]
    assert (target / "saved_model.pb").read_text() == "old"


def test_the_folder_of_a_saved_model_is_replaced_whole(tmp_path):
    """Only a folder that holds a SavedModel, and only if that is asked for."""
    form, target = FORMATS["savedmodel"], tmp_path / "served"
    target.mkdir()
    with pytest.raises(ArchiveError, match="must not exist"):
        placing.check(None, target, form, overwrite=True)
    (target / "saved_model.pb").write_text("old")
    (target / "more").write_text("old")
    with pytest.raises(ArchiveError, match="must not exist"):
        placing.check(None, target, form, overwrite=False)

    placing.check(None, target, form, overwrite=True)
    with placing.placing(target, form, overwrite=True) as place:
        place.path.mkdir()
        (place.path / "saved_model.pb").write_text("new")
        place.keep()

    assert _names(tmp_path) == ["served"]
    assert _names(target) == ["saved_model.pb"]
    assert (target / "saved_model.pb").read_text() == "new"


@pytest.mark.parametrize("name", ["litert", "openvino", "savedmodel"])
def test_targets_that_cannot_be_are_refused(name, tmp_path):
    """One that exists, one in no folder, one that is the source, one beside it."""
    form = FORMATS[name]
    source = tmp_path / "model.keras"
    source.write_text("model")
    taken = tmp_path / f"taken{form.suffix}"
    taken.write_text("something")
    nowhere = tmp_path / "nowhere" / f"a{form.suffix}"

    for target, words in ((taken, "must not exist"), (nowhere, "folder must exist")):
        with pytest.raises(ArchiveError, match=words):
            placing.check(source, target, form, overwrite=False)
    with pytest.raises(ArchiveError, match="source must exist"):
        placing.check(tmp_path / "no", tmp_path / "b", form, overwrite=False)


def test_the_file_beside_the_target_counts(tmp_path):
    """A `.bin` of another model is not replaced with the `.xml`."""
    (tmp_path / "a.bin").write_text("weights")

    with pytest.raises(ArchiveError, match=r"a\.bin"):
        placing.check(
            None, Path(tmp_path / "a.xml"), FORMATS["openvino"], overwrite=False
        )
