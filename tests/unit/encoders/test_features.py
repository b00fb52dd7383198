"""`sentence_features`: features of texts, and the file in which they are kept."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.components import HAS_TRANSFORMERS
from tests.tiny_backbone import write_backbone
from textvae.encoders import sentence_features
from textvae.encoders.backbone import Pooling
from textvae.encoders.frozen import FrozenBackbone
from textvae.errors import ConfigError, DataError

pytestmark = pytest.mark.skipif(not HAS_TRANSFORMERS, reason="needs the transformers package")

TEXTS = ["one two three", "seven", "", "One  TWO three?", "six five four three two one " * 30, "seven"]


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    return write_backbone(tmp_path / "bert")


def kept(cache: Path) -> list[Path]:
    return sorted(cache.glob("features-*.arrow"))


def test_features_are_in_the_order_of_the_texts_and_kept(folder: Path, tmp_path: Path, seen: list[int]) -> None:
    expected = sentence_features(TEXTS, str(folder))
    assert expected.shape == (6, 8) and expected.dtype == np.float32 and np.isfinite(expected).all()
    assert np.array_equal(expected[1], expected[5]) and not np.array_equal(expected[0], expected[3])
    cache, order = tmp_path / "new" / "cache", [4, 0, 5, 2]
    assert np.array_equal(sentence_features([TEXTS[i] for i in order], str(folder), cache=cache), expected[order])
    assert np.array_equal(sentence_features(iter(TEXTS), str(folder), cache=str(cache)), expected)
    assert np.array_equal(sentence_features(TEXTS[::-1], str(folder), cache=cache), expected[::-1])
    assert seen == [6, 4, 1], "no text is encoded twice"
    assert len(kept(cache)) == 1
    table = pa.ipc.open_file(kept(cache)[0]).read_all()
    assert table.num_rows == 5 and table.schema.names == ["key", "features"]


def test_keys_that_end_with_a_zero_byte(folder: Path, tmp_path: Path) -> None:
    """One key in 256, of which NumPy would forget the end."""
    texts = [f"one two {i}" for i in range(1500)]
    expected = sentence_features(texts, str(folder))
    for _ in range(2):
        assert np.array_equal(sentence_features(texts, str(folder), cache=tmp_path / "cache"), expected)


def test_they_are_kept_by_encoder_and_pooling(folder: Path, tmp_path: Path, seen: list[int]) -> None:
    cache = tmp_path / "cache"
    poolings: tuple[Pooling, ...] = ("mean", "first", "max")
    found = [sentence_features(TEXTS, str(folder), pooling=pooling, cache=cache) for pooling in poolings]
    assert len(kept(cache)) == 3 and not np.allclose(found[0], found[1]) and not np.allclose(found[0], found[2])
    # The same files elsewhere are the same encoder.
    folder.rename(tmp_path / "moved")
    assert np.array_equal(sentence_features(TEXTS, str(tmp_path / "moved"), cache=cache), found[0])
    assert seen == [5, 5, 5]
    write_backbone(tmp_path / "moved", longest=10)
    assert not np.allclose(sentence_features(TEXTS, str(tmp_path / "moved"), cache=cache)[4], found[0][4])
    write_backbone(tmp_path / "moved", seed=1)
    assert not np.allclose(sentence_features(TEXTS, str(tmp_path / "moved"), cache=cache), found[0])
    assert len(kept(cache)) == 5


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _of_other_settings(path: Path) -> None:
    other = next(one for one in path.parent.glob("features-*.arrow") if one != path)
    path.write_bytes(other.read_bytes())


HARMS: dict[str, Callable[[Path], object]] = {
    "a flipped bit": _flipped,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-30]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not of Arrow"),
    "of other settings": _of_other_settings,
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_file_is_written_anew_with_one_warning(
    harm: str, folder: Path, tmp_path: Path, seen: list[int]
) -> None:
    cache = tmp_path / "cache"
    expected = sentence_features(TEXTS, str(folder), cache=cache)
    [path] = kept(cache)
    sentence_features(TEXTS[:2], str(folder), pooling="max", cache=cache)
    HARMS[harm](path)
    with pytest.warns(UserWarning, match="is damaged; its features are computed again") as caught:
        assert np.array_equal(sentence_features(TEXTS[:3], str(folder), cache=cache), expected[:3])
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(sentence_features(TEXTS, str(folder), cache=cache), expected)
    assert seen == [5, 2, 3, 2]


def test_files_of_others_are_left_alone(folder: Path, tmp_path: Path, seen: list[int]) -> None:
    cache = tmp_path / "cache"
    sentence_features(TEXTS, str(folder), cache=cache)
    name = kept(cache)[0].name
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    sentence_features(TEXTS, str(folder), cache=mine)
    assert (mine / "notes.txt").read_text() == "mine" and len(kept(mine)) == 1
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / name).write_text("mine")
    seen.clear()
    with pytest.raises(ConfigError, match="that textvae did not write"):
        sentence_features(TEXTS, str(folder), cache=foreign)
    with pytest.raises(ConfigError, match="is a file that textvae did not write"):
        sentence_features(TEXTS, str(folder), cache=foreign / name)
    assert (foreign / name).read_text() == "mine" and not seen, "refused before anything was computed"


def _encode(folder: str, cache: str, start: int, out: str) -> None:
    np.save(out, sentence_features([f"one two {i}" for i in range(start, start + 300)], folder, cache=cache))


def test_two_processes_at_once_do_no_harm(folder: Path, tmp_path: Path, seen: list[int]) -> None:
    """What both computed is all in the file, though their texts overlap."""
    spawn, cache = multiprocessing.get_context("spawn"), tmp_path / "cache"
    workers = [
        spawn.Process(target=_encode, args=(str(folder), str(cache), start, str(tmp_path / f"{start}.npy")))
        for start in (0, 200)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    found = sentence_features([f"one two {i}" for i in range(500)], str(folder), cache=cache)
    assert not seen
    assert np.array_equal(found[:300], np.load(tmp_path / "0.npy"))
    assert np.array_equal(found[200:], np.load(tmp_path / "200.npy"))
    assert {path.name for path in cache.iterdir()} <= {kept(cache)[0].name, ".textvae", ".textvae.lock"}


def test_what_was_computed_before_an_interruption_is_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: list[int]
) -> None:
    monkeypatch.setattr("textvae.encoders.features._PART", 2)
    encode = FrozenBackbone.encode

    def interrupted(self: FrozenBackbone, *given: Any) -> np.ndarray:
        if len(seen) == 2:
            raise KeyboardInterrupt
        return encode(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(FrozenBackbone, "encode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sentence_features(TEXTS, str(folder), cache=tmp_path / "cache")
    seen.clear()
    sentence_features(TEXTS, str(folder), cache=tmp_path / "cache")
    assert seen == [1]


def test_what_cannot_be_is_refused(folder: Path) -> None:
    for texts in ("one", []):
        with pytest.raises(DataError):
            sentence_features(texts, str(folder))
    with pytest.raises(ConfigError, match="device is 'abacus'"):
        sentence_features(TEXTS, str(folder), device="abacus")
