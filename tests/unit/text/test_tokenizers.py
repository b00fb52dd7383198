"""One set of tests over all tokenizers: readable text back, on disk without pickle, the same every time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from textvae.config import parse
from textvae.errors import DataError, ModelError
from textvae.text.corpora import load_card
from textvae.text.normalize import normalize
from textvae.text.tokenizers import (
    TOKENIZER_KINDS,
    BPEConfig,
    SentencePieceConfig,
    TokenizerConfig,
    UnigramConfig,
    WordConfig,
    load_tokenizer,
)
from textvae.text.tokenizers.base import LONGEST, in_parts
from textvae.types import BOS_ID, EOS_ID, PAD_ID, UNK_ID

ALL = [
    settings(vocab_size=1000 if settings.trains.splits_words else 50_000, **variant)
    for settings in TOKENIZER_KINDS.values()
    for variant in settings.variants.values()
]
"""Every kind in every way it cuts text: a new one adds no line here."""
SUBWORD = [config for config in ALL if config.trains.splits_words]
WORDS = [config for config in ALL if not config.trains.splits_words]
FIRST = {config.kind: config for config in reversed(ALL)}
"""Of each kind, its first variant."""


def name(config):
    chosen = config.model_dump(include=set().union(*config.variants.values()))
    return "-".join([config.kind, *(str(value) for value in chosen.values())])


@pytest.fixture(scope="module")
def texts():
    return [text for text, _ in load_card("bible").read("train")][:1500]


@pytest.fixture(scope="module")
def trained(texts):
    return {id(config): config.train(texts) for config in ALL}


@pytest.mark.parametrize("config", SUBWORD, ids=name)
def test_subword_kinds_restore_text_exactly(config, trained, texts):
    tokenizer = trained[id(config)]
    rows = tokenizer.encode_batch(texts)
    known = [
        (normalize(text), tokenizer.decode(row)) for text, row in zip(texts, rows, strict=True) if UNK_ID not in row
    ]
    assert len(known) == len(texts)  # all characters were seen in training
    assert [text for text, _ in known] == [back for _, back in known]


@pytest.mark.parametrize("config", WORDS, ids=name)
def test_words_come_back_readable(config, trained, texts):
    tokenizer = trained[id(config)]
    same = [tokenizer.decode(tokenizer.encode(text)) == normalize(text) for text in texts]
    assert np.mean(same) > 0.995


@pytest.mark.parametrize(
    "text",
    [
        'He said, "I don\'t know (really)."',
        "The king's men; they can't, won't, and shouldn't: 5% of $3.",
        "Jesus' disciples cannot go.",
        'They said, "You\'re late!" and left...',
        "He asked, 'Who is she?'",
        "'Tis the season.",
        "Mr. Hill went out. He came back.",
        '"Go!" "Why?"',
    ],
)
@pytest.mark.parametrize("split", ["words", "nltk"])
def test_words_restore_what_people_write(text, split):
    tokenizer = WordConfig(vocab_size=100, split=split).train([text])
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_word_pieces_are_those_of_nltk():
    tokenizer = WordConfig(vocab_size=100, split="nltk").train(['"I don\'t," he said.'])
    tokens = [tokenizer.token(i) for i in tokenizer.encode('"I don\'t," he said.')]
    assert tokens == ["``", "I", "do", "n't", ",", "''", "he", "said", "."]


@pytest.mark.parametrize("config", ALL, ids=name)
def test_ids_and_vocabulary(config, trained):
    tokenizer = trained[id(config)]
    assert tokenizer.kind == config.kind
    assert tokenizer.vocab_size == len(tokenizer.tokens) <= config.vocab_size
    assert len(set(tokenizer.tokens)) == tokenizer.vocab_size
    assert [tokenizer.token(i) for i in (PAD_ID, BOS_ID, EOS_ID, UNK_ID)] == ["<pad>", "<s>", "</s>", "<unk>"]
    for mask in (tokenizer.starts_word, tokenizer.continues_word):
        assert mask.shape == (tokenizer.vocab_size,) and mask.dtype == bool and not mask[:4].any()
    assert (tokenizer.starts_word ^ tokenizer.continues_word)[4:].all()
    assert type(tokenizer) is config.trains
    assert tokenizer.continues_word.any() or not tokenizer.splits_words


@pytest.mark.parametrize("config", ALL, ids=name)
def test_text_never_becomes_a_special(config, trained):
    tokenizer = trained[id(config)]
    ids = tokenizer.encode("<pad> <s> the king </s> <s>")
    assert not {PAD_ID, BOS_ID, EOS_ID} & set(ids)


@pytest.mark.parametrize("config", ALL, ids=name)
def test_first_token_of_each_word_starts_it(config, trained):
    tokenizer = trained[id(config)]
    ids = tokenizer.encode("the king went out")
    if config.model_dump().get("split_by_whitespace", True):
        assert tokenizer.starts_word[ids].sum() == 4
    assert tokenizer.starts_word[ids[0]]


@pytest.mark.parametrize("config", ALL, ids=name)
def test_specials_are_skipped_and_unknown_is_shown(config, trained):
    tokenizer = trained[id(config)]
    ids = tokenizer.encode("the king")
    assert tokenizer.decode([BOS_ID, *ids, EOS_ID, PAD_ID]) == "the king"
    assert tokenizer.decode([*ids, UNK_ID]).replace(" ", "") == "theking<unk>"
    assert tokenizer.decode([]) == "" and tokenizer.encode("  ") == []
    assert tokenizer.decode(np.array(ids)) == "the king"


@pytest.mark.parametrize("config", ALL, ids=name)
def test_saved_and_loaded(config, trained, tmp_path, texts):
    tokenizer = trained[id(config)]
    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert type(loaded) is type(tokenizer)
    assert loaded.tokens == tokenizer.tokens
    assert loaded.encode_batch(texts[:200]) == tokenizer.encode_batch(texts[:200])
    assert json.loads((tmp_path / "tokenizer.json").read_text())["kind"] == config.kind
    assert [path.name for path in tmp_path.glob(".*")] == [".textvae"]  # the marker, and no temporary file


@pytest.mark.parametrize("config", ALL, ids=name)
def test_training_again_gives_the_same(config, trained, texts):
    assert config.train(iter(texts)).tokens == trained[id(config)].tokens


def test_training_in_another_process_gives_the_same(texts):
    # Hash seeds differ between processes; a limit on characters that binds is where ties would show.
    code = (
        "import sys, json; from textvae.text.tokenizers import *; t = json.load(sys.stdin); "
        "print(json.dumps([list(c.train(t).tokens) for c in (BPEConfig(vocab_size=300, max_characters=45), "
        "ByteConfig(vocab_size=400), UnigramConfig(vocab_size=300))]))"
    )
    run = [sys.executable, "-c", code]
    outputs = {
        subprocess.run(run, input=json.dumps(texts[:500]), text=True, capture_output=True, check=True).stdout
        for _ in "ab"
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("config", ALL, ids=name)
def test_lowercase(config, texts):
    tokenizer = config.model_copy(update={"lowercase": True}).train(texts[:500])
    assert tokenizer.encode("THE King") == tokenizer.encode("the king")
    assert tokenizer.decode(tokenizer.encode("THE King")) == "the king"


def test_the_kinds_differ(trained):
    tokenizers = [trained[id(config)] for config in FIRST.values()]
    text = "The King's grandchildren went to Café Zürich."
    cuts = [tuple(tokenizer.token(i) for i in tokenizer.encode(text)) for tokenizer in tokenizers]
    assert len(set(cuts)) == len(TOKENIZER_KINDS) >= 5
    unknown = {tokenizer.kind: UNK_ID in tokenizer.encode(text) for tokenizer in tokenizers}
    ours = {"word": True, "bpe": True, "byte": False, "unigram": True, "sentencepiece": False}
    assert {kind: unknown[kind] for kind in ours} == ours


def test_bytes_and_fallback_spell_anything(trained):
    for config in (FIRST["byte"], FIRST["sentencepiece"]):
        tokenizer = trained[id(config)]
        assert tokenizer.decode(tokenizer.encode("日本語 🙂 naïve")) == "日本語 🙂 naïve"


def test_literal_unknown_of_the_penn_treebank():
    for split in ("words", "nltk", "whitespace"):
        tokenizer = WordConfig(vocab_size=50, split=split).train(["mr. <unk> is chairman"])
        assert tokenizer.encode("mr. <unk> is")[1] == UNK_ID
        assert tokenizer.decode(tokenizer.encode("mr. <unk> is")) == "mr. <unk> is"


def test_existing_sentencepiece_model(trained, tmp_path, texts):
    trained[id(FIRST["sentencepiece"])].save(tmp_path)
    config = SentencePieceConfig(model_file=str(tmp_path / "pieces.model"))
    assert config.train([]).encode(texts[5]) == trained[id(FIRST["sentencepiece"])].encode(texts[5])
    (tmp_path / "foreign.model").write_bytes(b"not a model")
    with pytest.raises(ModelError, match="no sentencepiece model"):
        SentencePieceConfig(model_file=str(tmp_path / "foreign.model")).train([])


def test_min_count_and_ties():
    tokenizer = WordConfig(vocab_size=7, min_count=2).train(["b a c", "c a b", "d"])
    assert tokenizer.tokens[4:] == ("a", "b", "c")


def test_damaged_folders(tmp_path):
    with pytest.raises(ModelError, match="holds no tokenizer"):
        load_tokenizer(tmp_path)
    BPEConfig(vocab_size=60).train(["the cat sat"] * 3).save(tmp_path)
    merges = tmp_path / "merges.json"
    merges.write_text(merges.read_text()[:40])
    with pytest.raises(ModelError, match="damaged"):
        load_tokenizer(tmp_path)
    merges.unlink()
    with pytest.raises(ModelError, match="damaged"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(ModelError, match="not written by textvae"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"kind": "wo')
    with pytest.raises(ModelError, match="truncated"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"kind": "words", "format_version": 1}')
    with pytest.raises(ModelError, match=r"knows .*word"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("config", ALL, ids=name)
def test_nothing_to_learn_from(config):
    with pytest.raises(DataError, match="no text"):
        config.train(["", "  "])


def test_chosen_by_kind():
    config = parse(TokenizerConfig, {"kind": "unigram", "vocab_size": 500}, "recipe")
    assert isinstance(config, UnigramConfig)


def test_very_long_texts_are_learned_from_in_parts() -> None:
    """The libraries' time goes by the square of a text's length; nothing of it may be left out for that."""
    for text in ("ab " * 9000 + "c" * 40_000 + " d", "x" * 100_000, "a b"):
        parts = list(in_parts([text]))
        assert "".join(parts).replace(" ", "") == text.replace(" ", "")
        assert max(map(len, parts)) <= LONGEST


def test_a_header_of_another_shape_is_refused(tmp_path: Path) -> None:
    WordConfig().train(["a b"]).save(tmp_path)
    for kind in ({}, [], 3, None, "nonsense"):
        (tmp_path / "tokenizer.json").write_text(json.dumps({"format_version": 1, "kind": kind, "vocab_size": 6}))
        with pytest.raises(ModelError):
            load_tokenizer(tmp_path)


def test_tokens_that_are_no_text_are_refused(tmp_path: Path) -> None:
    WordConfig().train(["a b"]).save(tmp_path)
    header = json.loads((tmp_path / "tokenizer.json").read_text())
    header["tokens"][-1] = True
    (tmp_path / "tokenizer.json").write_text(json.dumps(header))
    with pytest.raises(ModelError, match="damaged"):
        load_tokenizer(tmp_path)
