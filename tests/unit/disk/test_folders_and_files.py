"""Markers, locks and atomic writes, each fact by itself."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from textvae.disk import (
    LOCK,
    MARKER,
    FreshFolder,
    atomic_path,
    claim,
    foreign_entry,
    held,
    is_marked,
    machine_errors,
    mark,
    new_folder,
    read_json,
    remove_folder,
    sweep,
    what_is,
    write_json,
)
from textvae.errors import ConfigError, DataError, MachineError


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff", b'{"format": "textvae-folder"}', b"[" * 900, b"x" * 5000, b'{"format": 1}']
)
def test_a_file_of_the_marker_s_name_is_no_marker_by_that(content: bytes, tmp_path: Path) -> None:
    (tmp_path / MARKER).write_bytes(content)
    assert not is_marked(tmp_path)
    with pytest.raises(ConfigError):
        mark(tmp_path, "run")
    assert (tmp_path / MARKER).read_bytes() == content


def test_a_link_or_a_pipe_is_no_marker(tmp_path: Path) -> None:
    new_folder(tmp_path / "ours", "run")
    for name, make in (("link", lambda p: p.symlink_to(tmp_path / "ours" / MARKER)), ("pipe", os.mkfifo)):
        (tmp_path / name).mkdir()
        make(tmp_path / name / MARKER)
        assert not is_marked(tmp_path / name)


def test_a_marker_tells_what_and_each_has_an_id_of_its_own(tmp_path: Path) -> None:
    ids = set()
    for name in "ab":
        new_folder(tmp_path / name, "stage train")
        assert what_is(tmp_path / name) == "stage train"
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == [MARKER]
        ids.add(json.loads((tmp_path / name / MARKER).read_text())["id"])
    assert len(ids) == 2


def test_a_marker_vouches_for_files_of_its_own_kind_only(tmp_path: Path) -> None:
    new_folder(tmp_path / "run", "run")
    (tmp_path / "run" / "config.json").write_text("mine")
    with pytest.raises(ConfigError, match=r"config\.json is a file that textvae did not write"):
        claim(tmp_path / "run", "model", ["config.json"])
    claim(tmp_path / "run", "model", ["weights"])


def test_removing_leaves_what_is_not_ours(tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    new_folder(folder, "checkpoints")
    (folder / "step").mkdir()
    for name in ("step/state", "step/notes.txt", "step-mine"):
        (folder / name).write_text(name)
    (folder / "link").symlink_to(folder / "step")
    assert foreign_entry(folder, ["step/state"]) == folder / "link"
    assert not remove_folder(folder, ["step/state"])
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) == [
        "link", "step", "step-mine", "step/notes.txt",
    ]  # fmt: skip


def test_a_fresh_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), FreshFolder(tmp_path, "model") as fresh:
        (fresh.path / "a").write_text("a")
        sweep(tmp_path)
        assert (fresh.path / "a").exists(), "its writer holds it"
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with FreshFolder(tmp_path, "model") as fresh:
        (fresh.path / "a").write_text("a")
        fresh.put(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [MARKER, "a"]
    with FreshFolder(tmp_path, "model") as fresh, pytest.raises(ConfigError, match="did not write"):
        fresh.put(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_lost_its_writer_is_swept_and_what_is_odd_is_passed_by(tmp_path: Path) -> None:
    for name in ("0" * 16, "1" * 16, "2" * 16, "zz"):
        (tmp_path / f".textvae-{name}").mkdir()
        (tmp_path / f".textvae-{name}" / "a").write_text("a")
    mark(tmp_path / f".textvae-{'0' * 16}", "model")
    mark(tmp_path / f".textvae-{'1' * 16}", "model")
    (tmp_path / f".textvae-{'1' * 16}" / LOCK).write_text("somebody's")
    sweep(tmp_path)
    assert sorted(path.name[-2:] for path in tmp_path.iterdir()) == ["11", "22", "zz"]


def test_two_never_hold_one_folder(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(ConfigError, match="another process is running"), held(tmp_path):
        pass
    (tmp_path / LOCK).write_text("mine")
    with pytest.raises(ConfigError, match="not textvae's lock"), held(tmp_path):
        pass
    assert (tmp_path / LOCK).read_text() == "mine"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on the disk while writing"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no space left in your share"),
        (OSError(errno.EFBIG, "File too large"), "ulimit -f"),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), "no space left"),
        (
            OSError("[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device"),
            "no space left",
        ),
    ],
)
def test_a_disk_that_refuses_is_the_machine_s_error(error: Exception, said: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("before")
    with pytest.raises(MachineError, match=said), atomic_path(tmp_path / "a") as temporary:
        temporary.write_text("half")
        raise error
    assert (tmp_path / "a").read_text() == "before" and len(list(tmp_path.iterdir())) == 1


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    for error in (ValueError("x"), DataError("the text 'No space left on device' has no label"), FileNotFoundError(2)):
        with pytest.raises(type(error)), machine_errors(tmp_path):
            raise error


def test_json_of_ours_holds_numbers_only_and_may_have_held_others(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old.json").write_text('{"x": NaN}')
    assert read_json(tmp_path / "old.json")["x"] != 0
    for text in ("[" * 100_000, "[" * 80 + "]" * 80, "{"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ValueError):
            read_json(tmp_path / "bad.json")
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(ValueError, match="is a pipe"):
        read_json(tmp_path / "pipe.json")
