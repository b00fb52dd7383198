"""The tokenizer that `textvae new` proposes: little unknown, text given back, on texts it did not learn from."""

from __future__ import annotations

import random

import pytest

from textvae.config import parse
from textvae.text.inspect import propose_tokenizer, text_statistics
from textvae.text.inspect.tokenizer import MAX_UNKNOWN
from textvae.text.tokenizers import TokenizerConfig
from textvae.types import UNK_ID

HAN = "山水风云雨雪日月花鸟江河竹松石木天地人心春秋夜光"
KANA = "あいうえおかきくけこさしすせそたちつてとなにぬねの日本語話"
THAI = "กขคงจชซดตถทนบปพมยรลวสหอ"


def strings(alphabet: list[str], length: tuple[int, int], count: int = 300, end: str = "") -> list[str]:
    rng = random.Random(1)
    return ["".join(rng.choices(alphabet, k=rng.randint(*length))) + end for _ in range(count)]


def words(syllables: int, count: int = 3000, vocabulary: int = 300) -> list[str]:
    rng = random.Random(2)
    made = ["".join(rng.choices(["ba", "ko", "li", "mu", "ter", "san", "vi"], k=syllables)) for _ in range(vocabulary)]
    return [" ".join(rng.choices(made, k=7)).capitalize() + "." for _ in range(count)]


WITHOUT_SPACES = {
    "Chinese couplets": strings(list(HAN), (10, 12), end="。"),
    "Chinese words": strings(list(HAN), (2, 4)),
    "Chinese prose": strings(list(HAN), (30, 90), end="。"),
    "Japanese": strings(list(KANA), (10, 30), end="。"),
    "Thai": strings(list(THAI), (8, 40)),
    "SMILES": strings(["C", "C", "O", "N", "C(C)", "C=C", "c1ccccc1", "[nH]", "Cl"], (4, 12)),
    "peptides": strings(list("ACDEFGHIKLMNPQRSTVWY"), (6, 12)),
    "proteins": strings(list("ACDEFGHIKLMNPQRSTVWY"), (80, 200)),
    "DNA": strings(list("ACGT"), (20, 60)),
    "names": strings(["an", "be", "ka", "ro", "si", "to"], (2, 4)),
}


@pytest.mark.parametrize("name", WITHOUT_SPACES)
def test_text_without_spaces_gets_characters_or_pieces_and_nothing_is_unknown(name: str) -> None:
    texts = WITHOUT_SPACES[name]
    found = text_statistics(texts)
    assert found is not None and not found.has_spaces
    proposed = propose_tokenizer(found)
    assert proposed.settings["kind"] == "sentencepiece" and proposed.unknown == 0 and proposed.given_back == 1
    assert proposed.vocab_size > found.alphabet, "no letter of the alphabet is left out"
    assert proposed.cut <= 0.5 if name == "proteins" else proposed.cut <= 0.05
    tokenizer = parse(TokenizerConfig, dict(proposed.settings), "x").train(texts)
    for text in texts:
        assert UNK_ID not in tokenizer.encode(text) and tokenizer.decode(tokenizer.encode(text)) == text


def test_words_that_recur_are_words() -> None:
    found = text_statistics(words(2, vocabulary=40))
    assert found is not None and found.has_spaces
    proposed = propose_tokenizer(found)
    assert proposed.settings["kind"] == "word" and proposed.unknown <= MAX_UNKNOWN and proposed.given_back > 0.99
    assert proposed.vocab_size <= 200 and 8 <= proposed.max_tokens <= 12 and proposed.cut == 0


@pytest.mark.parametrize("seed", range(5))
def test_words_that_seldom_recur_are_pieces(seed: int) -> None:
    """As in a language of many endings, or in a small corpus: a fifth of new words would be unknown."""
    rng = random.Random(seed)
    texts = [
        " ".join("".join(rng.choices(["ba", "ko", "li", "mu", "ter", "san"], k=rng.randint(2, 6))) for _ in range(6))
        for _ in range(400)
    ]
    found = text_statistics(texts)
    assert found is not None and found.has_spaces
    proposed = propose_tokenizer(found)
    assert proposed.settings["kind"] == "sentencepiece" and proposed.unknown == 0


def test_text_with_unk_of_its_own_is_not_thought_unknown() -> None:
    rng = random.Random(0)
    texts = [" ".join(rng.choices(["the", "a", "<unk>", "cat", "dog", "sleeps", ",", "."], k=12)) for _ in range(500)]
    found = text_statistics(texts)
    assert found is not None and found.tokenized
    proposed = propose_tokenizer(found)
    assert proposed.settings["split"] == "whitespace" and proposed.unknown == 0


def test_a_sample_comes_from_all_parts_of_a_stream() -> None:
    found = text_statistics(f"text number {number}" for number in range(130_000))
    assert found is not None and (found.count, found.distinct) == (130_000, 130_000)
    numbers = [int(text.split()[-1]) for text in found.sample]
    assert 25_000 <= len(numbers) <= 50_000 and numbers[0] < 10 and numbers[-1] > 129_000
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("texts", [[], [""], ["  ", "\t"]])
def test_no_text_has_no_statistics(texts: list[str]) -> None:
    assert text_statistics(texts) is None
