"""Vocabularies that lie beside the config: carried over, or their lack is told."""

from __future__ import annotations

import json
import os
import zipfile

import keras
import numpy as np
import pytest

from keras_rectifiers.conversion.upgrade import upgrade_file
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.legacy.containers import vocabularies

tf_keras = pytest.importorskip("tf_keras")
tf = pytest.importorskip("tensorflow")

WORDS = "assets/layers/string_lookup/vocabulary.txt"
TEXTS = [["a b"], ["c, C a?"], ["zz"]]
NUMBERS = [[7], [5], [-3]]


def made(library, *, tf_idf=True):
    """A model of adapted layers, one of which is inside a nested model."""
    layers = library.layers
    words = layers.StringLookup(name="words", output_mode="multi_hot")
    words.adapt(np.array([["zz"], ["a b"], ["a b"], ["ü\x85"]]))
    numbers = layers.IntegerLookup(name="numbers", output_mode="one_hot")
    numbers.adapt(np.array([[7], [5], [7]]))
    mode = "tf_idf" if tf_idf else "count"
    texts = layers.TextVectorization(name="texts", output_mode=mode)
    texts.adapt(np.array(["c b", "c", "a b", "a d e"]))
    text = library.Input((1,), dtype="string", name="text")
    flat = layers.Flatten()  # with tf_idf the old Keras keeps an axis of one
    inner = library.Model(text, flat(texts(text)), name="inner")
    said = library.Input((1,), dtype="string", name="said")
    number = library.Input((1,), dtype="int64", name="number")
    parts = [words(said), numbers(number), inner(said)]
    ends = [layers.Dense(2, name=f"end{k}")(part) for k, part in enumerate(parts)]
    return library.Model([said, number], layers.Concatenate()(ends))


def run(model):
    return np.asarray(model([tf.constant(TEXTS), tf.constant(NUMBERS)]))


def rewritten(source, target, change):
    """The archive with other members."""
    with zipfile.ZipFile(source) as old:
        texts = {name: old.read(name) for name in old.namelist()}
    change(texts)
    with zipfile.ZipFile(target, "w") as new:
        for name, text in texts.items():
            new.writestr(name, text)


def of_keras_2(folder):
    model = made(tf_keras)
    model.save(folder / "old.keras")
    (folder / "old.json").write_text(model.to_json())
    return model


def of_keras_3(folder):
    model = made(keras)
    model.save(folder / "old.keras")
    (folder / "old.json").write_text(model.to_json())
    return model


@pytest.mark.parametrize("make", [of_keras_2, of_keras_3])
@pytest.mark.parametrize("form", ["archive", "unpacked", "weights", "windows"])
def test_a_vocabulary_comes_along(make, form, tmp_path):
    """From the assets of an archive, of a folder, and of an archive of weights."""
    old, source, weights = make(tmp_path), tmp_path / "old.keras", None
    if form == "unpacked":
        with zipfile.ZipFile(source) as archive:
            archive.extractall(tmp_path / "folder")
        source = tmp_path / "folder"
    elif form == "weights":
        source, weights = tmp_path / "old.json", source
    elif form == "windows":

        def change(texts):
            for name in [name for name in texts if name.startswith("assets/")]:
                text = texts.pop(name).replace(b"\n", b"\r\n")
                texts[name.replace("/", "\\")] = text

        rewritten(source, tmp_path / "windows.keras", change)
        source = tmp_path / "windows.keras"

    record = upgrade_file(source, tmp_path / "new.keras", weights=weights)

    new = keras.saving.load_model(tmp_path / "new.keras")
    np.testing.assert_array_equal(run(old), run(new))
    carried = [each for each in record.repairs if each.rule == "vocabulary"]
    assert {each.layer for each in carried} == {"words", "numbers", "inner/texts"}
    assert not any(each.caution for each in carried)


@pytest.mark.parametrize("mode", [{}, {"max_tokens": 12, "pad_to_max_tokens": True}])
def test_the_weights_of_words_come_out_of_a_saved_model(mode, tmp_path):
    """Padding and unknown words have weights too, but are no words."""
    layer = tf_keras.layers.TextVectorization(output_mode="tf_idf", **mode)
    layer.adapt(np.array(["c b", "c", "a b", "a d e"]))
    text = tf_keras.Input((1,), dtype="string")
    old = tf_keras.Sequential([text, layer])
    old.save(tmp_path / "old", save_format="tf")

    upgrade_file(tmp_path / "old", tmp_path / "new.keras")

    new = keras.saving.load_model(tmp_path / "new.keras")
    inputs = tf.constant(TEXTS)
    np.testing.assert_array_equal(np.asarray(old(inputs)), np.asarray(new(inputs)))


@pytest.mark.parametrize("make", [of_keras_2, of_keras_3])
def test_a_vocabulary_that_is_nowhere_is_told(make, tmp_path):
    """A file of weights has none; the model runs once it is given."""
    old = make(tmp_path)
    old.save_weights(tmp_path / "old.weights.h5")
    weights = tmp_path / "old.weights.h5"

    record = upgrade_file(
        tmp_path / "old.json", tmp_path / "new.keras", weights=weights
    )

    told = {each.layer: each.text for each in record.cautions}
    assert set(told) == {"words", "numbers", "inner/texts"}
    assert told["words"].startswith("StringLookup without its vocabulary")
    new = keras.saving.load_model(tmp_path / "new.keras")
    for name in ("words", "numbers"):
        vocabulary = old.get_layer(name).get_vocabulary()
        new.get_layer(name).set_vocabulary(vocabulary)
    texts = old.get_layer("inner").get_layer("texts")
    frequencies = np.asarray(texts._lookup_layer.idf_weights)
    inner = new.get_layer("inner").get_layer("texts")
    inner.set_vocabulary(texts.get_vocabulary(), frequencies)
    np.testing.assert_array_equal(run(old), run(new))


def test_a_vocabulary_is_missing_in_an_h5_of_keras_3(tmp_path):
    """Keras 3 writes it nowhere, and opens the file without a word."""
    made(keras, tf_idf=False).save(tmp_path / "old.h5")
    record = upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
    told = [each.layer for each in record.cautions if each.rule == "vocabulary"]
    assert sorted(told) == ["inner/texts", "numbers", "words"]


def test_an_architecture_alone_lacks_everything_anyway(tmp_path):
    of_keras_2(tmp_path)
    record = upgrade_file(tmp_path / "old.json", tmp_path / "new.json")
    assert not [each for each in record.repairs if each.rule == "vocabulary"]


def _cut(texts):
    texts[WORDS] = texts[WORDS].rpartition(b"\n")[0]


def _not_utf8(texts):
    texts[WORDS] = b"\xff" + texts[WORDS]


def _no_numbers(texts):
    name = "assets/layers/integer_lookup/vocabulary.txt"
    texts[name] = b"-1\n7\nfive"


def _too_long(texts):
    texts["assets/layers/integer_lookup/vocabulary.txt"] = b"-1\n7\n" + b"9" * 30


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_cut, "'words'.*3 words, but the config states 4"),
        (_not_utf8, "'words'.*cannot be read"),
        (_no_numbers, "'numbers'.*invalid literal"),
        (_too_long, "'numbers'.*more than 64 bits"),
    ],
)
def test_a_damaged_vocabulary_is_refused_by_the_name_of_its_layer(
    change, said, tmp_path
):
    of_keras_2(tmp_path)
    rewritten(tmp_path / "old.keras", tmp_path / "bad.keras", change)
    with pytest.raises(ArchiveError, match=said):
        upgrade_file(tmp_path / "bad.keras", tmp_path / "new.keras")
    assert not (tmp_path / "new.keras").exists()


def test_vocabularies_have_a_size_at_most(tmp_path, monkeypatch):
    """All of them together, in an archive and in a folder."""
    of_keras_2(tmp_path)
    with zipfile.ZipFile(tmp_path / "old.keras") as archive:
        archive.extractall(tmp_path / "folder")
    monkeypatch.setattr(vocabularies, "MAX_BYTES", 30)
    for source in ("old.keras", "folder"):
        with pytest.raises(ArchiveError, match="vocabularies of a model must take"):
            upgrade_file(tmp_path / source, tmp_path / "new.keras")


@pytest.mark.parametrize(
    "name", ["assets/../../words.txt", "assets/layers/tokens/words.txt"]
)
def test_files_of_nobody_are_not_carried(name, tmp_path):
    """What an archive calls its members leads nowhere."""
    of_keras_2(tmp_path)

    def change(texts):
        texts[name] = b"a"

    rewritten(tmp_path / "old.keras", tmp_path / "odd.keras", change)
    with pytest.raises(UnsupportedModelError, match=name):
        upgrade_file(tmp_path / "odd.keras", tmp_path / "new.keras")
    assert not (tmp_path.parent / "words.txt").exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_vocabulary_is_no_link_out_of_its_folder(tmp_path):
    of_keras_2(tmp_path)
    with zipfile.ZipFile(tmp_path / "old.keras") as archive:
        archive.extractall(tmp_path / "folder")
    file = tmp_path / "folder" / WORDS
    file.rename(tmp_path / "elsewhere.txt")
    file.symlink_to(tmp_path / "elsewhere.txt")
    with pytest.raises(ArchiveError, match="link to another place"):
        upgrade_file(tmp_path / "folder", tmp_path / "new.keras")


def test_a_class_of_the_same_name_is_left_alone(tmp_path):
    """Only Keras' own layers are known to keep words in such files."""
    entry = {"class_name": "StringLookup", "config": {}, "registered_name": None}
    assert vocabularies.lacks(entry)
    assert not vocabularies.lacks({**entry, "registered_name": "Mine>StringLookup"})
    assert not vocabularies.lacks({**entry, "config": {"vocabulary": ["a"]}})


def test_what_is_carried_stands_in_the_config(tmp_path):
    """Word for word, also where Keras 3 would break a line within a word."""
    of_keras_2(tmp_path)
    upgrade_file(tmp_path / "old.keras", tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as archive:
        assert not [name for name in archive.namelist() if name.startswith("assets")]
        document = json.loads(archive.read("config.json"))
    found = {
        each["config"]["name"]: each["config"].get("vocabulary")
        for each in document["config"]["layers"]
    }
    assert found["words"][:2] == ["[UNK]", "a b"]
    assert set(found["words"][2:]) == {"ü\x85", "zz"}
    assert found["numbers"] == [-1, 7, 5]
