"""Arrow files: what is written, what is counted, what is refused."""

from __future__ import annotations

import errno
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

from textvae.disk import atomic_path
from textvae.errors import DataError, MachineError
from textvae.text import tokenized as module
from textvae.text.corpora import Example
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import BPEConfig, WordConfig

TOKENIZER = WordConfig(split="whitespace").train(["a b c d e f g"])


def names(folder):
    return [path.name for path in folder.iterdir()]


def write(tmp_path, texts, **options):
    path = tmp_path / "split.arrow"
    examples = [text if isinstance(text, Example) else Example(text) for text in texts]
    report = write_tokenized(path, iter(examples), TOKENIZER, **{"max_tokens": 3, **options})
    return report, TokenizedCorpus.open(path)


def test_rows_and_report(tmp_path):
    report, corpus = write(tmp_path, ["a  b", "", " \t", "a zebra c", "c"])
    assert (report.sentences, report.tokens, report.words, report.characters) == (3, 6, 6, 13)
    assert (report.empty, report.overlong, report.unknown_tokens, report.longest) == (2, 0, 1, 3)
    assert corpus.report == report
    assert [corpus.text(i) for i in range(len(corpus))] == ["a b", "a zebra c", "c"]
    assert corpus.lengths.tolist() == [4, 5, 3] and corpus.lengths.dtype == np.int64
    assert corpus.word_counts.tolist() == [2, 3, 1] and corpus.words(1) == 3
    assert corpus.labels.tolist() == [-1, -1, -1] and corpus.label_names == ()
    assert corpus.batch(np.array([0])).label_B is None


def test_truncate_window_error(tmp_path):
    texts = [Example("a b c d e f g", "x"), Example("a", "y")]
    report, corpus = write(tmp_path, texts, label_names=["x", "y"])
    assert (report.overlong, [corpus.text(i) for i in range(2)]) == (1, ["a b c", "a"])
    report, corpus = write(tmp_path, texts, overlong="window", label_names=["x", "y"])
    assert [corpus.text(i) for i in range(4)] == ["a b c", "d e f", "g", "a"]
    assert corpus.labels.tolist() == [0, 0, 0, 1] and report.overlong == 1 and report.words == 8
    with pytest.raises(DataError, match="7 tokens, more than max_tokens = 3"):
        write(tmp_path, texts, overlong="error")
    assert len(corpus) == 4  # the file of before is still there
    assert names(tmp_path) == ["split.arrow"]


def test_labels(tmp_path):
    _, corpus = write(tmp_path, [Example("a", "y"), Example("b"), Example("c", "x")], label_names=["x", "y"])
    assert corpus.labels.tolist() == [1, -1, 0] and corpus.label_names == ("x", "y")
    rows = [Example("a", "z"), Example("a b c d", "w"), Example("", "w"), Example("b", "x")]
    report, corpus = write(tmp_path, rows, label_names=["x", "y"], overlong="window")
    assert corpus.labels.tolist() == [-1, -1, -1, 0] and report.unknown_labels == 2
    old = report.model_dump(exclude={"unknown_labels"})  # as files of version 0.1.0 have it
    assert module.SplitReport.model_validate(old).unknown_labels == 0


def test_nothing_to_write(tmp_path):
    with pytest.raises(DataError, match="2 examples, all empty"):
        write(tmp_path, ["", " "])
    assert names(tmp_path) == []


def test_many_chunks_are_one_buffer(tmp_path):
    texts = [" ".join("abcdefg"[: 1 + i % 3]) for i in range(5000)]
    report, corpus = write(tmp_path, texts)
    assert report.sentences == 5000
    assert [corpus.text(i) for i in (0, 2047, 2048, 4999)] == [texts[i] for i in (0, 2047, 2048, 4999)]
    assert TOKENIZER.decode(corpus.ids(4097)) == texts[4097]


def test_any_arrow_library_reads_it(tmp_path):
    write(tmp_path, ["a b", "c"])
    table = pa.ipc.open_file(pa.memory_map(str(tmp_path / "split.arrow"))).read_all()
    table.validate(full=True)
    assert table.column("text").to_pylist() == ["a b", "c"]
    assert table.column("ids").to_pylist() == [TOKENIZER.encode("a b"), TOKENIZER.encode("c")]


def test_memory_does_not_grow_with_the_corpus(tmp_path):
    def peak(count):
        tracemalloc.start()
        write_tokenized(tmp_path / "x.arrow", (Example("a b c") for _ in range(count)), TOKENIZER, max_tokens=3)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(100)
    assert peak(24_000) < 1.5 * peak(6_000)


def test_full_disk(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module._Columns, "append_rows", full)
    with pytest.raises(MachineError, match=r"no space left on the disk while writing .*split.arrow"):
        write(tmp_path, ["a"])
    assert names(tmp_path) == []


def test_interrupted_writes_leave_the_old_file(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and names(tmp_path) == ["x"]


def test_foreign_truncated_missing(tmp_path):
    write(tmp_path, ["a b", "c"])
    path = tmp_path / "split.arrow"
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"hello", b""):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="truncated"):
            TokenizedCorpus(path)
    table = pa.table({"x": [1]})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write(table)
    with pytest.raises(DataError, match="no tokenized corpus"):
        TokenizedCorpus(path)
    with pytest.raises(DataError, match="does not exist"):
        TokenizedCorpus(tmp_path / "none.arrow")


def test_subword_truncation_keeps_what_the_tokens_say(tmp_path):
    tokenizer = BPEConfig(vocab_size=60).train(["the cat sat on the mat"] * 3)
    write_tokenized(tmp_path / "x.arrow", [Example("the cat sat on the mat")], tokenizer, max_tokens=4)
    corpus = TokenizedCorpus(tmp_path / "x.arrow")
    assert corpus.lengths.tolist() == [6]
    assert "the cat sat on the mat".startswith(corpus.text(0)) and corpus.text(0) == tokenizer.decode(corpus.ids(0))
