"""Texts that are longer than those of training, and tokens that are no words, in every task of the Python interface."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.tasks.test_tasks import TEXTS, TOKENIZER, language_model, semi_supervised, text_vae
from textvae.errors import ConfigError, DataError
from textvae.generation import Blank, SamplingConfig, Slot
from textvae.generation.template import parse_template, template_of
from textvae.tasks import generate_sentences, impute, interpolate, markov_chain, reconstruct
from textvae.tasks.classify import classify
from textvae.text.tokenizers import BPEConfig, ByteConfig, UnigramConfig, WordConfig
from textvae.types import UNK_ID

VAE, CLASSIFIER, LM = text_vae(), semi_supervised().eval(), language_model()
MAX_TOKENS = 12
OF_TEXT: dict[str, Callable[..., Any]] = {
    "encode": lambda text, **how: VAE.encode([text], **how).tolist(),
    "predict": lambda text, **how: CLASSIFIER.predict([text], **how).tolist(),
    "classify": lambda text, **how: [one.probabilities for one in classify(CLASSIFIER, [text], **how)],
    "reconstruct": lambda text, **how: [one.reconstruction for one in reconstruct(VAE, [text], **how)],
    "interpolate": lambda text, **how: interpolate(VAE, text, TEXTS[0], **how).texts,
    "markov_chain": lambda text, **how: markov_chain(VAE, [text], 3, **how),
    "impute": lambda text, **how: [one.fillers for one in impute(VAE, f"___ {text}", samples=2, **how)[0].answers],
    "impute exactly": lambda text, **how: [
        one.fillers for one in impute(LM, f"___ {text}", samples=2, **how)[0].answers
    ],
}


def long_text(seed: int) -> tuple[str, str]:
    """A text of more words than the models read, and its beginning of as many as they read."""
    rng = random.Random(seed)
    words = rng.choices(["the", "dog", "cat", "love", "you", "zebra", "sleeps"], k=MAX_TOKENS + rng.randint(1, 30))
    return " ".join(words), " ".join(words[:MAX_TOKENS])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("task", OF_TEXT)
def test_a_text_that_is_too_long_is_cut_where_that_is_asked_for(task: str, seed: int) -> None:
    text, beginning = long_text(seed)
    if task.startswith("impute"):
        # The blank is one of the tokens.
        beginning = beginning.rpartition(" ")[0]
    with pytest.raises(DataError, match=r"trained for.*shorten it, or have it cut as in training with overlong="):
        OF_TEXT[task](text)
    assert OF_TEXT[task](text, overlong="truncate") == OF_TEXT[task](beginning)


@pytest.mark.parametrize("bad", ["window", "", None, True, 3])
@pytest.mark.parametrize("task", OF_TEXT)
def test_another_treatment_is_refused(task: str, bad: Any) -> None:
    with pytest.raises((ConfigError, TypeError), match=r"overlong|Type-check"):
        OF_TEXT[task]("the dog", overlong=bad)


ALLOWED = SamplingConfig(allow_unk=True)
OF_TOKENS: dict[str, Callable[[], list[str]]] = {
    "generate": lambda: [one.text for one in generate_sentences(VAE, 60, decoding=ALLOWED)],
    "generate without z": lambda: [one.text for one in generate_sentences(LM, 60, decoding=ALLOWED)],
    "reconstruct": lambda: [one.reconstruction for one in reconstruct(VAE, TEXTS * 4, decoding=ALLOWED)],
    "interpolate": lambda: list(interpolate(VAE, TEXTS[0], TEXTS[1], steps=60, decoding=ALLOWED).texts),
    "markov_chain": lambda: [text for chain in markov_chain(VAE, TEXTS[:4], 15) for text in chain],
    "decode": lambda: VAE.decode(VAE.encode(TEXTS * 4), decoding=ALLOWED),
}


@pytest.mark.parametrize("task", OF_TOKENS)
def test_a_reader_is_never_shown_the_unknown_token(task: str) -> None:
    texts = OF_TOKENS[task]()
    assert not any("<unk>" in text for text in texts)
    assert any("[unknown word]" in text for text in texts)


TOKENIZERS = {
    "word": TOKENIZER,
    "whitespace": WordConfig(split="whitespace").train(TEXTS),
    "bpe": BPEConfig(vocab_size=60).train(TEXTS),
    "byte": ByteConfig(vocab_size=300).train(TEXTS),
    "unigram": UnigramConfig(vocab_size=40).train(TEXTS),
}


def plain(slots: list[Slot]) -> list[int | str]:
    """Blanks are equal only to themselves."""
    return ["blank" if isinstance(slot, Blank) else slot for slot in slots]


@pytest.mark.parametrize("blank", ["___", "___*"])
@pytest.mark.parametrize("kind", TOKENIZERS)
def test_the_beginning_of_a_text_with_blanks(kind: str, blank: str) -> None:
    tokenizer, long, room = TOKENIZERS[kind], "the dog and the cat " * 8, 40
    at_start = f"the {blank} {long}"
    whole = parse_template(at_start, tokenizer, max_span=4)
    cut = template_of(at_start, tokenizer, max_tokens=room, max_span=4, overlong="truncate")
    assert cut.tokens == len(whole) > len(cut.slots) and plain(cut.slots) == plain(whole)[: len(cut.slots)]
    # The longest filling fits, and no more is left out than that needs.
    assert sum(slot.max_tokens if isinstance(slot, Blank) else 1 for slot in cut.slots) == room
    with pytest.raises(DataError, match=f"has a blank at token .* and the model reads the first {room}; shorten"):
        template_of(f"{long} {blank}", tokenizer, max_tokens=room, max_span=4, overlong="truncate")
    with pytest.raises(DataError, match="has a blank at token"):
        template_of(f"{blank} {long} {blank}", tokenizer, max_tokens=room, max_span=4, overlong="truncate")
    # A blank at the last token that is read keeps its place.
    place = next(n for n, slot in enumerate(whole) if isinstance(slot, Blank))
    last = template_of(at_start, tokenizer, max_tokens=place + 1, max_span=4, overlong="truncate")
    assert plain(last.slots) == plain(whole)[: place + 1]


def test_one_of_several_texts_is_named() -> None:
    for bad in ("", "no blank", "the " * 20 + "___"):
        with pytest.raises(DataError, match=r"^Text 2: "):
            impute(VAE, ["I ___ you.", bad])
    assert UNK_ID in TOKENIZER.encode("zebra")
