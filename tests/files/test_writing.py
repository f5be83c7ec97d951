"""A target is written whole or not at all, and never over another by accident."""

import os
import stat

import pytest

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.files.writing import check_target
from keras_rectifiers.files.writing import replacing


def _write(target, content, *, overwrite, then):
    with replacing(target, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)
        then()


def test_a_new_name_in_a_folder_that_exists_is_fine(tmp_path):
    """Nothing is made by the check itself."""
    check_target(None, tmp_path / "new", overwrite=False)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda path: path.mkdir(), "the folder"),
        (os.mkfifo, "device or a pipe"),
    ],
    ids=["folder", "pipe"],
)
def test_what_is_no_file_is_never_replaced(tmp_path, make, match, overwrite):
    """Neither a folder nor a device, whatever is allowed."""
    target = tmp_path / "out"
    make(target)
    before = target.lstat()

    with pytest.raises(ArchiveError, match=match):
        check_target(None, target, overwrite=overwrite)
    assert target.lstat().st_ino == before.st_ino


def test_the_null_device_is_not_replaced_by_a_file():
    """A superuser could really do that."""
    with pytest.raises(ArchiveError, match="device or a pipe"):
        check_target(None, os.devnull, overwrite=True)


def test_an_existing_file_needs_leave(tmp_path):
    """Both spellings of the leave are in the message."""
    target = tmp_path / "out"
    target.write_bytes(b"old")

    with pytest.raises(ArchiveError, match=r"overwrite=True \(--force\)"):
        check_target(None, target, overwrite=False)
    check_target(None, target, overwrite=True)
    assert target.read_bytes() == b"old"


def test_a_missing_folder_is_named(tmp_path):
    """Folders are not made on the quiet."""
    with pytest.raises(ArchiveError, match="no folder"):
        check_target(None, tmp_path / "none" / "out", overwrite=False)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_leave_to_write_is_named(tmp_path):
    """The check tells it before any work is done."""
    tmp_path.chmod(0o555)

    with pytest.raises(ArchiveError, match="folder must be writable"):
        check_target(None, tmp_path / "out", overwrite=False)


@pytest.mark.parametrize("name", ["o" * 300, "nul\0name"])
def test_names_that_no_file_can_have_are_refused(tmp_path, name):
    """They are one sentence too, with and without a source."""
    source = tmp_path / "source"
    source.write_bytes(b"")

    with pytest.raises(ArchiveError, match="must be writable"):
        check_target(source, tmp_path / name, overwrite=False)


def test_the_file_appears_at_the_end_and_not_before(tmp_path):
    """A reader sees the old file or the new one, never half of it."""
    target = tmp_path / "out"
    with replacing(target, overwrite=False) as temporary:
        temporary.write_bytes(b"new")
        assert not target.exists()
        assert temporary.parent == target.parent

    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path, mask):
    """As if the file had been made by `open`, and not by a private temporary."""
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "out", overwrite=False) as temporary:
            temporary.write_bytes(b"new")
        left = os.umask(mask)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o666 & ~mask
    assert left == mask


@pytest.mark.parametrize(
    "error", [OSError("disk"), KeyError("bug"), KeyboardInterrupt()]
)
def test_a_failure_leaves_the_old_file(tmp_path, error):
    """The temporary file goes, the old content stays byte for byte."""
    target = tmp_path / "out"
    target.write_bytes(b"old")
    known = {OSError: ArchiveError}
    raised = known.get(type(error), type(error))

    def fail():
        raise error

    with pytest.raises(raised):
        _write(target, b"half", overwrite=True, then=fail)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_target_that_appears_meanwhile_is_not_lost(tmp_path):
    """Another process may have been quicker; its file stays."""
    target = tmp_path / "out"

    def appear():
        target.write_bytes(b"theirs")

    with pytest.raises(ArchiveError, match="appeared during"):
        _write(target, b"ours", overwrite=False, then=appear)
    assert target.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [target]


def test_file_systems_without_hard_links_work(tmp_path, monkeypatch):
    """There the temporary file is renamed."""

    def refuse(*args):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    with replacing(tmp_path / "out", overwrite=False) as temporary:
        temporary.write_bytes(b"new")

    assert (tmp_path / "out").read_bytes() == b"new"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_is_replaced_and_not_what_it_leads_to(tmp_path):
    """The file at the end of the link stays as it was."""
    other, target = tmp_path / "other", tmp_path / "out"
    other.write_bytes(b"other")
    target.symlink_to(other)
    with replacing(target, overwrite=True) as temporary:
        temporary.write_bytes(b"new")

    assert other.read_bytes() == b"other"
    assert not target.is_symlink()
    assert target.read_bytes() == b"new"
