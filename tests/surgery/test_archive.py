"""Untrusted archives: one hand-built bad file for each rule, one sentence each."""

import contextlib
import io
import json
import os
import struct
import zipfile

import h5py
import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers.conversion import kept_plans
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import PlanMismatchError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.files import members
from keras_rectifiers.graph import wellformed
from keras_rectifiers.surgery import archive
from tests.surgery.archives import CONFIG
from tests.surgery.archives import METADATA
from tests.surgery.archives import WEIGHTS
from tests.surgery.archives import document
from tests.surgery.archives import good
from tests.surgery.archives import pack
from tests.surgery.archives import read
from tests.surgery.archives import refused
from tests.surgery.archives import with_config
from tests.surgery.archives import with_weights


@pytest.fixture
def source(tmp_path):
    """A good archive."""
    return pack(tmp_path / "good.keras", good())


def test_the_good_archive_is_converted_and_loads(source, tmp_path):
    """All bad files here differ from a file that works."""
    target = tmp_path / "out.keras"

    plan = keras_rectifiers.convert_file(source, target, "prelu")

    assert len(plan.steps) == 5
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    before, after = (keras.saving.load_model(each)(x) for each in (source, target))
    assert np.asarray(before).tobytes() == np.asarray(after).tobytes()


# What is no archive at all.


def test_a_missing_file_is_named(tmp_path):
    """A path that leads nowhere is the first thing to check."""
    refused(tmp_path / "none.keras", "must exist.*none.keras")


def test_a_folder_is_refused(tmp_path):
    """A folder is a SavedModel, or no model."""
    (tmp_path / "model.keras").mkdir()

    refused(tmp_path / "model.keras", "folder must be a SavedModel.*holds neither")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    """Opening a pipe would wait for ever."""
    os.mkfifo(tmp_path / "pipe.keras")

    with pytest.raises(ArchiveError, match="device or a pipe"):
        keras_rectifiers.plan(tmp_path / "pipe.keras")
    with pytest.raises(ArchiveError, match="device or a pipe"):
        keras_rectifiers.convert_file(tmp_path / "pipe.keras", tmp_path / "t.keras")


def test_a_name_too_long_is_refused(tmp_path):
    """What the file system refuses to look up is told as it tells it."""
    with pytest.raises(ArchiveError, match="too long"):
        keras_rectifiers.plan(tmp_path / ("m" * 300 + ".keras"))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "which is empty"),
        (b"no model", "which is a text"),
        (b"PK\x03\x04 and no more", "damaged or cut off"),
        (b"\0" * 5000, "must be one that Keras saved"),
    ],
    ids=["empty", "text", "a cut zip", "zeros"],
)
def test_what_is_no_zip_is_refused(tmp_path, content, match):
    """The message says whether it looks cut off or never was one."""
    path = tmp_path / "model.keras"
    path.write_bytes(content)

    refused(path, match)


def test_weights_alone_are_refused(tmp_path):
    """HDF5 under the name .keras holds weights or an old model; which is said."""
    path = tmp_path / "weights.keras"
    path.write_bytes(good()[WEIGHTS])

    refused(path, "holds weights only.*--weights")


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_zip_without_a_needed_member_is_refused(tmp_path, name):
    """A zip of something else is no model, and the message lists what it holds."""
    members = good()
    del members[name]

    refused(pack(tmp_path / "zip.keras", members), f"must contain '{name}'")


def test_an_empty_zip_is_refused(tmp_path):
    """It holds nothing."""
    refused(pack(tmp_path / "zip.keras", {}), "contains nothing")


# Damage.


def test_a_file_cut_off_anywhere_is_refused(tmp_path):
    """Whatever the length of what is left, it is one sentence and no remains."""
    whole = pack(tmp_path / "good.keras", good()).read_bytes()
    path = tmp_path / "cut.keras"
    offsets = {
        *range(0, len(whole), len(whole) // 60),
        *range(len(whole) - 30, len(whole)),
    }
    for length in sorted(offsets):
        path.write_bytes(whole[:length])

        refused(path, "damaged or cut off|must be one that Keras saved")


def test_a_file_with_a_piece_missing_in_the_middle_is_refused(tmp_path):
    """The directory is whole, but the members are not where it says."""
    whole = pack(tmp_path / "good.keras", good()).read_bytes()
    path = tmp_path / "hole.keras"
    for start in range(0, len(whole) - 4000, len(whole) // 25):
        path.write_bytes(whole[:start] + whole[start + 100 :])

        refused(path, "damaged|must be|overlaps")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("to", ["prelu", "leaky_relu"])
@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, METADATA])
def test_a_flipped_bit_is_found_by_the_check_sum(tmp_path, name, to, compression):
    """Not one wrong bit of config or weights gets into a new file."""
    path = pack(tmp_path / "flipped.keras", good(), compression)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name)
    content = bytearray(path.read_bytes())
    start = info.header_offset + 30 + len(name)
    for fraction in (0.1, 0.5, 0.9):
        content[start + int(info.compress_size * fraction)] ^= 4
    path.write_bytes(content)

    refused(path, "damaged|check sum|not", to=to)


def test_bytes_flipped_in_the_directory_are_refused_or_harmless(tmp_path):
    """The directory at the end of a zip may lie in every field."""
    whole = pack(tmp_path / "good.keras", good()).read_bytes()
    path, target = tmp_path / "flipped.keras", tmp_path / "out.keras"
    start = whole.index(b"PK\x01\x02")
    converted = []
    for offset in range(start, len(whole)):
        for mask in (0xFF, 0x01):
            content = bytearray(whole)
            content[offset] ^= mask
            path.write_bytes(content)
            with contextlib.suppress(RectifierError):
                keras_rectifiers.convert_file(path, target, "leaky_relu")
                with zipfile.ZipFile(target) as archive:
                    converted.append(archive.testzip())
                target.unlink()

    assert {each.name for each in tmp_path.iterdir()} == {"good.keras", "flipped.keras"}
    assert set(converted) == {None}


def test_damaged_hdf5_with_a_right_check_sum_is_refused(tmp_path):
    """What the zip does not notice, the check of the HDF5 file does."""
    weights = good()[WEIGHTS]
    path = tmp_path / "damaged.keras"
    for broken in (b"", b"no weights", weights[:96], weights[: len(weights) // 2]):
        pack(path, good() | {WEIGHTS: broken})

        refused(path, "whole HDF5 file|must be built")


# What Keras never writes.


def test_duplicate_members_are_refused(tmp_path):
    """Readers disagree about which of two members counts."""
    path = pack(tmp_path / "twice.keras", good())
    with (
        zipfile.ZipFile(path, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        archive.writestr(CONFIG, "{}")

    refused(path, "each member once")


def test_an_encrypted_member_is_refused(tmp_path):
    """There is no password to ask for."""
    path = pack(tmp_path / "locked.keras", good())
    _patch_directory(path, WEIGHTS, 8, "<H", 1)

    refused(path, "must not be encrypted")


@pytest.mark.parametrize("method", [12, 14, 99])
def test_an_unknown_packing_is_refused(tmp_path, method):
    """Keras reads stored and deflated members; so does this package."""
    path = pack(tmp_path / "packed.keras", good())
    _patch_directory(path, WEIGHTS, 10, "<H", method)

    refused(path, "stored or deflated")


def test_too_many_members_are_refused(tmp_path, source, monkeypatch):
    """The directory of a zip may be longer than its content."""
    monkeypatch.setattr(members, "MAX_MEMBERS", 2)

    refused(source, "each member once")


@pytest.mark.parametrize("name", [CONFIG, METADATA, WEIGHTS, "assets/words.txt"])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, name):
    """Megabytes of zeros in a few bytes are no part of a model."""
    path = tmp_path / "bomb.keras"
    pack(path, good() | {name: b" " * (8 << 20)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20

    refused(path, "must not expand more than 200-fold")


def test_a_huge_config_is_refused_before_it_is_read(source, monkeypatch):
    """Text is read into memory, so it has a cap of its own."""
    monkeypatch.setattr(members, "MAX_CONFIG_BYTES", 1000)

    refused(source, "must be at most 1000 bytes")


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, METADATA])
@pytest.mark.parametrize("size", [0, 10, 1 << 20, 0xFFFFFFF0])
def test_sizes_that_lie_are_refused(tmp_path, name, size):
    """Neither more nor less is read than there is."""
    path = pack(tmp_path / "lies.keras", good())
    _patch_directory(path, name, 20, "<II", size, size)

    refused(path, "damaged|overlaps|cut off|not")


def test_overlapping_members_are_refused(tmp_path):
    """A thousand members over the same bytes would multiply when copied."""
    path = pack(tmp_path / "overlap.keras", good() | {"a": b"1" * 99, "b": b"1" * 99})
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("a").header_offset
    _patch_directory(path, "b", 42, "<I", offset)

    refused(path, "must follow each other")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"", "readable JSON"),
        (b"{", "readable JSON"),
        (b"\xff\xfe\x00", "readable JSON"),
        (b"[" * 200_000, "readable JSON"),
        (b'{"a":' * 200_000, "readable JSON"),
        (b"1" * 5000, "readable JSON"),
        (b"[]", "must contain a JSON object"),
        (b"3", "must contain a JSON object"),
        (b"NaN", "must contain a JSON object"),
        (b"null", "must contain a JSON object"),
        (b"{}", "must list its layers"),
        (b'{"class_name": "Own", "config": {}}', "created in Python code.*'Own'"),
        (b'{"class_name": [], "config": {"layers": [7]}}', "class_name="),
    ],
)  # fmt: skip
def test_a_config_that_is_no_model_is_refused(tmp_path, text, match):
    """Text that is no JSON, JSON that is no object, objects that are no model."""
    refused(with_config(tmp_path / "odd.keras", text), match)


def test_surgery_itself_takes_files_of_keras_3_only(tmp_path):
    """Whoever opens saved models brings older ones up to date before."""
    metadata = json.dumps({"keras_version": "2.15.0"})
    path = pack(tmp_path / "old.keras", good() | {METADATA: metadata})

    with pytest.raises(ArchiveError, match=r"written by Keras 2\.15\.0"):
        archive.read(path).__enter__()


@pytest.mark.parametrize("name", ["old.h5", "old.keras"])
def test_surgery_itself_names_the_way_for_hdf5(tmp_path, name):
    """What it says is possible is possible: `upgrade` takes a whole-model .h5."""
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(3, activation="relu")(inputs)
    keras.Model(inputs, hidden).save(tmp_path / "model.h5")
    path = (tmp_path / "model.h5").rename(tmp_path / name)

    with pytest.raises(ArchiveError, match=r"is HDF5.*keras_rectifiers\.upgrade"):
        archive.read(path).__enter__()
    keras_rectifiers.upgrade_file(path, tmp_path / "new.keras")
    with archive.read(tmp_path / "new.keras") as opened:
        assert opened.document["class_name"] == "Functional"


def _set(*keys, to):
    def change(config):
        place = config
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = to

    return change


def _layer(name, *keys, to):
    def change(config):
        entry = next(e for e in config["config"]["layers"] if e["name"] == name)
        _set(*keys, to=to)(entry)

    return change


def _rename(old, new):
    def change(config):
        for entry in config["config"]["layers"]:
            if entry["name"] == old:
                entry["name"] = new

    return change


_FIRST = ("inbound_nodes", 0, "args", 0, "config")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (_layer("a", "class_name", to=["Dense"]), "class_name="),
        (_layer("a", "config", to=[]), "config="),
        (_layer("a", "module", to=7), "module=7"),
        (_layer("a", "registered_name", to={}), "registered_name="),
        (_layer("a", "build_config", to="x"), "build_config="),
        (_layer("a", "name", to=None), "named None"),
        (_layer("a", "name", to={"a": 1}), "named {'a': 1}"),
        (_rename("a", "in/side"), "tensor of 'a'.*no layer computes"),
        (_rename("a", "head"), "tensor of 'a'.*no layer computes"),
        (_layer("a", "inbound_nodes", to=3), "another format"),
        (_layer("a", "inbound_nodes", to=[[["x", 0, 0, {}]]]), "Calls must have"),
        (_layer("a", "inbound_nodes", to=[{"args": 1, "kwargs": {}}]), "format"),
        (_layer("maximum", "inbound_nodes", to=[]), "0 calls of 'maximum'"),
        (_layer("a", *_FIRST, "keras_history", to=["none", 0, 0]), "no layer computes"),
        (_layer("a", *_FIRST, "keras_history", to=["x", 9, 0]), "no layer computes"),
        (_layer("a", *_FIRST, "keras_history", to=["x", "?", 0]), "ValueError"),
        (_layer("a", *_FIRST, "keras_history", to=["x", {}, 0]), "TypeError"),
        (_layer("a", *_FIRST, "keras_history", to=["x", 1e999, 0]), "OverflowError"),
        (_layer("a", *_FIRST, "keras_history", to=["slopes", 0, 0]), "cycle"),
        (_layer("a", *_FIRST, "keras_history", to=["a", 0, 0]), "cycle"),
        (_layer("a", "config", "units", to=1 << 40), None),
        (_layer("slopes", *_FIRST, "shape", to=["a", "b"]), "length 'a'"),
        (_layer("head", *_FIRST, "shape", to=[None, 1 << 40]), "length 1099511627776"),
        (_layer("head", *_FIRST, "shape", to=[None, -5]), "length -5"),
        (_layer("head", *_FIRST, "shape", to=[None, float("nan")]), "length nan"),
        (_set("config", "output_layers", to=[["none", 0, 0]]), "'none' in output_"),
        (_set("config", "output_layers", to=[["x", [], 0]]), "TypeError"),
        (_set("config", "output_layers", to=[]), "leads to no output"),
        (_set("config", "layers", to=[]), "does not exist"),
    ],
)
def test_a_malformed_graph_is_refused(tmp_path, change, match):
    """Wrong types and impossible graphs are named, where they stand."""
    config = document()
    change(config)
    path = with_config(tmp_path / "odd.keras", config)
    if match is None:
        keras_rectifiers.plan(path)
        return

    refused(path, match)


def test_too_many_layers_are_refused(source, monkeypatch):
    """A walk over millions of layers would take for ever."""
    monkeypatch.setattr(wellformed, "MAX_PLACES", 3)

    refused(source, "more than 3 layers")


def test_models_nested_without_end_are_refused(tmp_path):
    """Deep nesting that JSON can still hold is cut off by the walk."""
    config = document()
    for _ in range(80):
        config = {
            "module": "keras",
            "class_name": "Sequential",
            "config": {"name": "s", "layers": [config]},
            "registered_name": None,
        }

    refused(with_config(tmp_path / "deep.keras", config), "nested at most 64 deep")


# Weights that lead elsewhere.


def _external_link(file):
    file["layers/dense/vars/9"] = h5py.ExternalLink("/etc/passwd", "/")


def _soft_link(file):
    file["layers/dense/vars/9"] = h5py.SoftLink("/layers")


def _virtual(file):
    layout = h5py.VirtualLayout((1,), "float32")
    layout[:] = h5py.VirtualSource("other.h5", "data", (1,))
    file.create_virtual_dataset("layers/dense/vars/9", layout)


def _external_storage(file):
    file.create_dataset(
        "layers/dense/vars/9", (4,), "uint8", external=[("/etc/passwd", 0, 4)]
    )


def _cycle(file):
    file["layers/dense/again"] = file["layers"]


def _two_names(file):
    file["layers/again"] = file["layers/dense"]


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (_external_link, "ExternalLink"),
        (_soft_link, "SoftLink"),
        (_virtual, "virtual or external"),
        (_external_storage, "virtual or external"),
        (_cycle, "twice"),
        (_two_names, "twice"),
    ],
)
def test_weights_that_lead_elsewhere_are_refused(tmp_path, edit, match):
    """Links out of the file, and groups that are their own parents."""
    refused(with_weights(tmp_path / "links.keras", edit), match)


def test_a_missing_group_is_refused(tmp_path):
    """A PReLU that comes before another moves it, so that must be there."""

    def edit(file):
        del file["layers/p_re_lu"]

    path = with_weights(tmp_path / "part.keras", edit)

    refused(path, "must have its group")


def _slopes(**options):
    def edit(file):
        del file["layers/p_re_lu/vars/0"]
        file.create_dataset("layers/p_re_lu/vars/0", **options)

    return edit


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (
            _slopes(shape=(1 << 40,), dtype="float32", chunks=(1 << 20,)),
            "stored as a plain array",
        ),
        (_slopes(data=np.array([b"text"])), "stored as a plain array"),
        (_slopes(data=np.zeros((0,), "float32")), "stored as a plain array"),
    ],
    ids=["4 TiB", "text", "empty"],
)
def test_slopes_that_are_none_are_refused(tmp_path, edit, match):
    """A PReLU's slopes are read, so what they claim to be is checked first."""
    path = with_weights(tmp_path / "slopes.keras", edit)

    refused(path, match, to="leaky_relu", of="prelu")


def test_slopes_without_a_mean_are_left_as_they_are(tmp_path):
    """A PReLU that has diverged has no Leaky ReLU to become, and the plan says so."""
    slopes = np.full(5, np.nan, "float32")
    path = with_weights(tmp_path / "nan.keras", _slopes(data=slopes))

    plan = keras_rectifiers.plan(path, "leaky_relu", of="prelu")

    assert [(skip.site.path, skip.reason) for skip in plan.skips][-1] == (
        "slopes",
        "slopes",
    )


# What is copied and never used.


def test_names_that_lead_out_are_copied_as_names(tmp_path):
    """Nothing is ever extracted, so a path in a name leads nowhere."""
    (tmp_path / "in").mkdir()
    extra = {"../evil": b"1", "/tmp/evil": b"2", "a/../../evil": b"3", "C:\\evil": b"4"}
    source = pack(tmp_path / "in" / "names.keras", good() | extra)
    target = tmp_path / "in" / "out.keras"

    keras_rectifiers.convert_file(source, target, "prelu")

    copied = read(target)
    assert {name: copied[name] for name in extra} == extra
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert {path.name for path in target.parent.iterdir()} == {
        "names.keras",
        "out.keras",
    }


@pytest.mark.parametrize("to", ["leaky_relu", "prelu"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_other_members_are_copied_byte_for_byte(tmp_path, to, compression):
    """Assets, metadata and unknown members are not looked at."""
    extra = {"assets/words.txt": b"one\ntwo\n" * 99, "assets/": b"", "notes": b"\0" * 9}
    source = pack(tmp_path / "more.keras", good() | extra, compression)

    keras_rectifiers.convert_file(source, tmp_path / "out.keras", to)

    before, after = read(source), read(tmp_path / "out.keras")
    assert set(after) == {*before, kept_plans.MEMBER}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == ({CONFIG} if to == "leaky_relu" else {CONFIG, WEIGHTS})


def test_data_descriptors_work(tmp_path):
    """Archives that were written as a stream state sizes after the data."""

    class Stream(io.RawIOBase):
        def __init__(self):
            self.content = b""

        def writable(self):
            return True

        def write(self, data):
            self.content += bytes(data)
            return len(data)

    stream = Stream()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in good().items():
            archive.writestr(name, content)
    path = tmp_path / "stream.keras"
    path.write_bytes(stream.content)
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].flag_bits & 8

    keras_rectifiers.convert_file(path, tmp_path / "out.keras", "prelu")

    with zipfile.ZipFile(tmp_path / "out.keras") as archive:
        assert archive.testzip() is None
    keras.saving.load_model(tmp_path / "out.keras")


def test_code_in_a_file_is_copied_and_never_runs(tmp_path):
    """A Lambda's marshaled code and a class to import are only text here."""
    config = document()
    code = "4wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
    lambda_config = {
        "name": "head",
        "function": {
            "class_name": "__lambda__",
            "config": {"code": code, "defaults": None, "closure": None},
        },
    }
    for entry in config["config"]["layers"]:
        if entry["name"] == "head":
            entry.update(class_name="Lambda", config=lambda_config)
        if entry["name"] == "a":
            entry.update(module="this", class_name="Zen", registered_name="own>Zen")
    source = with_config(tmp_path / "code.keras", config)

    keras_rectifiers.convert_file(source, tmp_path / "out.keras", "leaky_relu")

    after = json.loads(read(tmp_path / "out.keras")[CONFIG])["config"]["layers"]
    by_name = {entry["name"]: entry for entry in after}
    assert by_name["head"]["config"] == lambda_config
    assert by_name["a"]["module"] == "this"


def test_a_plan_for_another_file_changes_nothing(tmp_path, source):
    """The plan is checked against the file before anything is written."""
    other = keras.Sequential([keras.Input((3,)), keras.layers.ReLU(name="other")])
    plan = keras_rectifiers.plan(other, "leaky_relu", roles=("output",))

    with pytest.raises(PlanMismatchError):
        keras_rectifiers.convert_file(source, tmp_path / "out.keras", plan)
    assert [path.name for path in tmp_path.iterdir()] == ["good.keras"]


def _patch_directory(path, name, offset, form, *values):
    """Overwrite fields of a member's entry in the directory at the end."""
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02")
    while content[place + 46 : place + 46 + len(name)] != name.encode():
        place = content.index(b"PK\x01\x02", place + 4)
    struct.pack_into(form, content, place + offset, *values)
    path.write_bytes(content)
