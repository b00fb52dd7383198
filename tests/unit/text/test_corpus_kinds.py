"""Tests of every kind in the registry of corpora: a kind writes its own example, so a new one adds no line here."""

from __future__ import annotations

from pathlib import Path

import pytest

from textvae.config import parse
from textvae.errors import DataError
from textvae.pipeline.new import to_toml
from textvae.text.corpora import CORPUS_KINDS, FILE_KINDS, CorpusCard, CorpusConfig, Example, load_card
from textvae.text.corpora.base import SPLITS
from textvae.text.inspect import DEFAULT_KIND, inspect_file
from textvae.text.normalize import normalize
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import ByteConfig

KINDS = pytest.mark.parametrize("kind", CORPUS_KINDS)
Read = dict[str, list[Example]]


def written(kind: str, folder: Path) -> Path:
    """A kind's example and its card, in a folder."""
    folder.mkdir()
    path = folder / "card.toml"
    path.write_text(to_toml(CORPUS_KINDS[kind].write_example(folder), "An example."), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> dict[str, tuple[Path, CorpusCard, Read]]:
    """Of each kind, once: the file of its card, the card, and what it reads."""
    made = {}
    for kind in CORPUS_KINDS:
        path = written(kind, tmp_path_factory.mktemp("kinds") / kind)
        card = load_card(path)
        made[kind] = path, card, {split: list(card.read(split)) for split in card.splits}
    return made


@KINDS
def test_it_reads_texts_and_the_labels_it_says_it_has(kind, examples):
    _, card, read = examples[kind]
    assert card.kind == kind and "train" in card.splits
    assert set(card.own_splits) <= set(card.splits) <= set(SPLITS)
    everything = [example for part in read.values() for example in part]
    assert all(type(example) is Example and normalize(example.text) for example in everything)
    assert card.has_labels == any(example.label is not None for example in everything)
    if card.has_labels:
        assert card.label_names() == sorted({label for _, label in read["train"] if label is not None})
    else:
        with pytest.raises(DataError, match="has no labels"):
            card.label_names()
    for split in set(SPLITS) - set(card.splits):
        with pytest.raises(DataError, match=f"has no {split} split"):
            next(card.read(split))
    assert list(card.read("train")) == read["train"]


@KINDS
def test_it_is_the_same_from_its_card_its_dump_and_its_settings(kind, examples):
    path, card, _ = examples[kind]
    again = load_card(path)
    assert again == card and again.fingerprint() == card.fingerprint()
    # Through JSON, as a manifest has it; a card does not say where it lies.
    for mode in ("python", "json"):
        dumped = card.model_dump(mode=mode)
        back = parse(CorpusConfig, dumped, "the dump").seen_from(path.parent)
        assert back == card and back.model_dump(mode=mode) == dumped
    # A fingerprint is of what is read, whatever it is called and wherever it lies.
    other = card.model_copy(update=dict.fromkeys(card.descriptive & set(CorpusCard.model_fields), "other"))
    assert other.fingerprint() == card.fingerprint()
    for change in ({"max_words": 999}, {"split_fractions": {"train": 0.5, "test": 0.5}}, {"limit": {"train": 1}}):
        assert card.model_copy(update=change).fingerprint() != card.fingerprint()


@KINDS
def test_it_reads_the_same_wherever_the_current_folder_is(kind, examples, tmp_path, monkeypatch):
    path, card, read = examples[kind]
    monkeypatch.chdir(tmp_path)
    assert load_card(path).fingerprint() == card.fingerprint()
    assert list(load_card(path).read("train")) == read["train"]


@KINDS
def test_a_change_of_its_content_changes_its_fingerprint(kind, tmp_path):
    path = written(kind, tmp_path / "own")
    before = load_card(path).fingerprint()
    assert load_card(path).fingerprint() == before
    for file in sorted(path.parent.rglob("*")):
        if file.is_file() and file != path:
            file.write_bytes(file.read_bytes() + b"\n")
            after = load_card(path).fingerprint()
            assert after != before, f"{file.name} was changed, and the fingerprint was not"
            before = after


@KINDS
def test_a_source_that_is_missing_is_named_with_the_cure(kind, tmp_path):
    path = written(kind, tmp_path / "own")
    files = [file for file in path.parent.rglob("*") if file.is_file() and file != path]
    for file in files:
        file.unlink()
    card = load_card(path)
    if not files:
        assert next(card.read("train"))  # a kind that reads no files misses none
        return
    with pytest.raises(DataError, match=r"; (check|set|put|give) ") as caught:
        list(card.read("train"))
    assert "\n" not in str(caught.value)


@KINDS
def test_tokenized_it_holds_the_same_texts_and_labels(kind, examples, tmp_path):
    _, card, read = examples[kind]
    tokenizer = ByteConfig(vocab_size=300).train(example.text for example in read["train"])
    names = card.label_names() if card.has_labels else None
    for split, part in read.items():
        write_tokenized(tmp_path / f"{split}.arrow", part, tokenizer, max_tokens=999, label_names=names)
        corpus = TokenizedCorpus(tmp_path / f"{split}.arrow")
        kept = [
            (corpus.text(i), names[label] if names and label >= 0 else None) for i, label in enumerate(corpus.labels)
        ]
        assert kept == [(normalize(text), label) for text, label in part]
        assert [tokenizer.decode(corpus.ids(i)) for i in range(len(corpus))] == [text for text, _ in kept]


@pytest.mark.parametrize("kind", FILE_KINDS)
def test_a_file_of_the_kind_is_known_again(kind, examples):
    """By its ending; without one, by its first lines where the kind tells them."""
    _, card, read = examples[kind]
    file = card.paths("train")[0]
    first = file.read_bytes().decode("utf-8", errors="replace").splitlines()
    if kind != DEFAULT_KIND and not FILE_KINDS[kind].endings and not FILE_KINDS[kind].looks_like(first):
        pytest.skip("a kind without endings is one that a card must name")
    found = inspect_file(file)
    assert found.kind == kind and found.texts.count == len(read["train"])
    assert (found.header is not None) == card.may_have_header
    assert (found.text_column is not None) == (card.rows(file) is not None)
    bare = file.with_name("bare")
    bare.write_bytes(file.read_bytes())
    assert inspect_file(bare).kind == (kind if FILE_KINDS[kind].looks_like(first) else DEFAULT_KIND)
