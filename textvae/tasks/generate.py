"""New sentences from the prior p(z), or from a prior conditioned on a label or a vector."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from textvae.errors import ConfigError
from textvae.generation import GivenDecoding, generate, inference, word_generator
from textvae.models import TextModel
from textvae.results import NewSentence
from textvae.tasks.sentences import SENTENCES_AT_ONCE, Draws, label_index, vectors_for
from textvae.types import Context, GivenRows

FIRST_CHUNK = 10
"""Sentences in the first chunk: the default number of `textvae generate`."""


def generate_sentences(
    model: TextModel,
    count: int,
    *,
    label: str | None = None,
    vectors: GivenRows | None = None,
    decoding: GivenDecoding | None = None,
    seed: int = 0,
) -> list[NewSentence]:
    """Draw z from the prior and decode it.

    Args:
        model: a TextVAE, a SemiSupervisedTextVAE or a LanguageModel with its tokenizer. A language model has no z, so
            its sentences differ only when decoding is `sample`.
        count: number of sentences; with vectors, the number for each vector.
        label: condition on this label: z comes from p(z|y) where the prior is conditioned on labels, the sentence from
            p(x|y, z) where the decoder is (a semi-supervised model). Without a label, z comes from
            p(z) = sum_y p(y) p(z|y), and a decoder's label from p(y).
        vectors: [N, H], finite numbers: z comes from p(z|vector). Needed by a prior that is conditioned on vectors, for
            which p(z) is not defined. Sentences are in the order of the vectors.
        decoding: greedy when None.
        seed: the same seed gives the same sentences.

    Raises:
        ModelError: the model has no tokenizer, or a label or vectors were given to a model that takes none.
        ConfigError: `count` is negative, the model does not know the label, its prior needs vectors, or
            `decoding.max_tokens` is above the longest sentence that the model was built for.
        DataError: the vectors do not have the size that the prior was trained on, or are not finite.

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
    vectors: GivenRows | None = None,
    decoding: GivenDecoding | None = None,
    seed: int = 0,
) -> Iterator[NewSentence]:
    """The sentences of `generate_sentences` as an iterator: memory does not grow with `count`.

    Without vectors, the first sentences are the same whatever `count` is.

    Args:
        model: see `generate_sentences`; so are the others.
        count: number of sentences; with vectors, for each vector.
        label: condition on this label.
        vectors: condition on these vectors.
        decoding: greedy when None.
        seed: of all draws.

    Raises:
        TextVAEError: see `generate_sentences`; raised by the call, not by the iterator.
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
            texts = tokenizer.show_batch(found.tokens[: total - begin])
            names = [None] * size if label_N is None else [model.labels[i] for i in label_N.tolist()]
            numbers = zip(found.log_prob_N.tolist(), found.finished_N.tolist(), names, strict=True)
            # The last chunk may have more sentences than are wanted.
            for text, (log_prob, finished, name) in zip(texts, numbers, strict=False):
                yield NewSentence(text, log_prob, finished, name)

    return sentences()


def _whole_chunks(total: int) -> Iterator[tuple[int, int]]:
    """Start and size of each chunk. The last chunk is not cut, because the draws depend on the size of a chunk.

    The first chunks are small, so that few superfluous sentences are made where few are wanted.

    >>> list(_whole_chunks(25))
    [(0, 10), (10, 10), (20, 20)]
    """
    begin, size = 0, FIRST_CHUNK
    while begin < total:
        yield begin, size
        begin += size
        size = min(begin, SENTENCES_AT_ONCE)


def _drawn(model: TextModel, size: int, wanted: int | None, vector_NH: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Codes from the prior, [N, D], and the labels on which prior or decoder are conditioned, [N], if any."""
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
