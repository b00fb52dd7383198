"""New sentences from the prior, or from that of a label or of a vector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from textvae.errors import ConfigError
from textvae.generation import Decoding, generate, inference, word_generator
from textvae.models import TextModel
from textvae.tasks.sentences import (
    SENTENCES_AT_ONCE,
    Draws,
    Vectors,
    label_index,
    vectors_for,
)
from textvae.types import Context

FIRST_CHUNK = 10
"""Sentences made together at first: as many as are most often asked for."""


@dataclass(frozen=True)
class NewSentence:
    """A sentence that a model made.

    Attributes:
        text: the sentence.
        log_prob: log p(x|z) (of a language model log p(x), of a semi-supervised one log p(x|y, z)), nats, EOS included
            where finished.
        finished: False where the sentence was cut at the longest length.
        label: the one it was drawn for: the one asked for or, of a semi-supervised model, the one drawn; None where
            no label was used.
    """

    text: str
    log_prob: float
    finished: bool
    label: str | None = None


def generate_sentences(
    model: TextModel,
    count: int,
    *,
    label: str | None = None,
    vectors: Vectors | None = None,
    decoding: Decoding | None = None,
    seed: int = 0,
) -> list[NewSentence]:
    """Draw z from the prior and decode it.

    Args:
        model: a TextVAE, a SemiSupervisedTextVAE or a LanguageModel with its tokenizer. A language model has no z: all
            that differs between its sentences then comes from decoding by `sample`.
        count: how many sentences; for vectors, how many for each.
        label: draw for this label: z from p(z|y) where the prior is conditioned on labels, the sentence from p(x|y, z)
            where the decoder is (a semi-supervised model). Without one, labels are summed out: z comes from
            p(z) = sum_y p(y) p(z|y), a decoder's label from p(y).
        vectors: [N, H], finite numbers: z from p(z|vector), for a prior conditioned on vectors, which has no p(z)
            without. Sentences come in their order.
        decoding: greedy when None.
        seed: the same seed gives the same sentences.

    Raises:
        ModelError: the model has no tokenizer, or a label or vectors were given to a model that takes none.
        ConfigError: `count` is negative, the model does not know the label, its prior needs vectors, or longer
            sentences were asked for than the model can say.
        DataError: the vectors are others than the prior was trained on.

    >>> from textvae.models import TextVAEConfig
    >>> from textvae.text.tokenizers import WordConfig
    >>> config = TextVAEConfig.model_validate({"prior": {"kind": "conditional", "num_labels": 2}})
    >>> tokenizer = WordConfig(vocab_size=9).train(["so good", "so bad"])
    >>> model = config.build(vocab_size=tokenizer.vocab_size, max_tokens=4, label_names=("bad", "good"))
    >>> model.tokenizer = tokenizer
    >>> [made.label for made in generate_sentences(model, 2, label="good")]
    ['good', 'good']
    >>> generate_sentences(model, 2, label="great")
    Traceback (most recent call last):
    textvae.errors.ConfigError: the model has no label 'great'; it knows 'bad', 'good'.
    """
    return list(stream_sentences(model, count, label=label, vectors=vectors, decoding=decoding, seed=seed))


def stream_sentences(
    model: TextModel,
    count: int,
    *,
    label: str | None = None,
    vectors: Vectors | None = None,
    decoding: Decoding | None = None,
    seed: int = 0,
) -> Iterator[NewSentence]:
    """The sentences of `generate_sentences` one by one, made as they are taken: memory does not grow with `count`.

    The first ones are the same whatever `count` is, of those without vectors.

    Args:
        model: see `generate_sentences`; so are the others.
        count: how many; for vectors, for each.
        label: to draw for.
        vectors: to draw for.
        decoding: greedy when None.
        seed: of all draws.

    Raises:
        TextVAEError: see `generate_sentences`; before the first sentence is taken.
    """
    if count < 0:
        raise ConfigError(f"got {count} sentences to generate; give a number of at least 0.")
    wanted = None if label is None else label_index(model, label)
    vector_NH = vectors_for(model, vectors)
    tokenizer, device = model.require_tokenizer(), model.device
    decoding, generator = model.limited(decoding), word_generator(seed, device)
    total = count if vector_NH is None else count * len(vector_NH)

    def sentences() -> Iterator[NewSentence]:
        draws = Draws(seed, device)
        for begin, size in _whole_chunks(total):
            with inference(model), draws.on():
                given = None
                if vector_NH is not None:
                    given = vector_NH[[min(row, total - 1) // count for row in range(begin, begin + size)]]
                z_ND, label_N = _drawn(model, size, wanted, given)
                context = Context(label_B=label_N) if model.decodes_labels else None
                found = generate(model.decoder, z_ND, decoding, context=context, generator=generator)
            texts = tokenizer.decode_batch(found.tokens[: total - begin])
            names = [None] * size if label_N is None else [model.labels[i] for i in label_N.tolist()]
            numbers = zip(found.log_prob_N.tolist(), found.finished_N.tolist(), names, strict=True)
            # The last chunk may hold more than is wanted.
            for text, (log_prob, finished, name) in zip(texts, numbers, strict=False):
                yield NewSentence(text, log_prob, finished, name)

    return sentences()


def _whole_chunks(total: int) -> Iterator[tuple[int, int]]:
    """Where chunks begin and how many rows they have: always whole, as their size decides what is drawn in them.

    They grow from small ones, so that of few sentences not many more are made than wanted.

    >>> list(_whole_chunks(25))
    [(0, 10), (10, 10), (20, 20)]
    """
    begin, size = 0, FIRST_CHUNK
    while begin < total:
        yield begin, size
        begin += size
        size = min(begin, SENTENCES_AT_ONCE)


def _drawn(model: TextModel, size: int, wanted: int | None, vector_NH: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Codes from the prior, [N, D], and the labels they or their sentences are drawn for, [N], if any."""
    device = model.device
    label_N = None if wanted is None else torch.tensor([wanted], device=device).expand(size)
    if not model.has_code:
        return torch.zeros(size, 0, device=device), None
    if vector_NH is not None or (label_N is not None and not model.decodes_labels):
        return model.prior_given(Context(label_B=label_N, vector_BH=vector_NH)).sample().to(device), label_N
    z_ND = model.prior_given().sample((size,)).to(device)
    if label_N is None and model.decodes_labels:
        label_N = torch.multinomial(model.label_log_prior_C.exp(), size, replacement=True)
    return z_ND, label_N
