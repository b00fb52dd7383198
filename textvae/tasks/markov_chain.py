"""New sentences by a Markov chain between sentences and codes, for decoders that were not trained on prior codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from textvae.arguments import LARGEST, checked_count
from textvae.config import MAX_SAMPLES
from textvae.errors import ModelError
from textvae.generation import GivenDecoding, SamplingConfig, generate, inference, word_generator
from textvae.models import TextModel
from textvae.tasks.sentences import Draws, batch_of, chunks, require_latent
from textvae.text.batching import encode_texts
from textvae.text.given import GivenOverlong


def markov_chain(
    model: TextModel,
    texts: Iterable[str],
    steps: int,
    *,
    neighbors: bool = False,
    decoding: GivenDecoding | None = None,
    overlong: GivenOverlong = "error",
    seed: int = 0,
) -> list[list[str]]:
    """Repeats x -> z ~ q(z|x) -> x ~ p(x|z), in one chain for each given sentence.

    Where p(x|z) q(z|x) fits the data, the stationary distribution of the chain is that of the data, whatever q(z) is
    (Zhao et al. 2017, arXiv 1702.08658, section 4.2). This samples from a model that was trained without a KL to the
    prior (objective `unregularized`).

    With `neighbors` a step is x -> c, the code of a training sentence near x -> z ~ p(z|c) -> x ~ p(x|z) (Graves et al.
    2018, arXiv 1804.02476). Its stationary distribution is not known.

    Args:
        model: a TextVAE with its tokenizer.
        texts: the sentences at which the chains start.
        steps: steps of each chain.
        neighbors: whether z is drawn given a near training sentence, whose codes a prior of kind nearest_neighbors
            stores.
        decoding: sampling from the whole distribution when None. Any other choice changes the stationary
            distribution.
        overlong: sentences longer than the model was trained for are refused ("error"), or cut as in training
            ("truncate").
        seed: the same seed gives the same sentences.

    Returns:
        The sentences after each step, for each chain.

    Raises:
        DataError: a sentence is empty, or too long.
        ModelError: the model has no z; or `neighbors` is set and its prior stores no training sentences.
        ConfigError: steps below 1 or above a million.
    """
    rows = _start(model, texts, overlong)
    chains = walk(model, rows, steps, neighbors=neighbors, decoding=decoding, seed=seed)
    return [model.require_tokenizer().show_batch(chain) for chain in chains]


def stream_chain(
    model: TextModel,
    text: str,
    steps: int,
    *,
    neighbors: bool = False,
    decoding: GivenDecoding | None = None,
    overlong: GivenOverlong = "error",
    seed: int = 0,
) -> Iterator[str]:
    """The chain of one sentence as an iterator: memory does not grow with `steps`.

    Args:
        model: see `markov_chain`; so are the others.
        text: the sentence at which the chain starts.
        steps: steps of the chain.
        neighbors: see `markov_chain`.
        decoding: sampling from the whole distribution when None.
        overlong: see `markov_chain`.
        seed: of all draws.

    Raises:
        TextVAEError: see `markov_chain`; raised by the call, not by the iterator.
    """
    here, tokenizer = _start(model, [text], overlong), model.require_tokenizer()
    step = _stepper(model, steps, neighbors, decoding, seed)

    def sentences() -> Iterator[str]:
        nonlocal here
        for _ in range(steps):
            here = step(here)
            yield tokenizer.show_batch(here)[0]

    return sentences()


def _start(model: TextModel, texts: Iterable[str], overlong: GivenOverlong) -> list[list[int]]:
    """Ids of the sentences at which the chains start, without BOS and EOS."""
    require_latent(model, "walk between sentences and codes")
    start = encode_texts(texts, model.require_tokenizer(), model.max_tokens, overlong=overlong)
    return [row[1 : length - 1] for row, length in zip(start.tokens_BT.tolist(), start.lengths_B.tolist(), strict=True)]


def walk(
    model: TextModel,
    rows: Sequence[Sequence[int]],
    steps: int,
    *,
    neighbors: bool = False,
    decoding: GivenDecoding | None = None,
    seed: int = 0,
) -> list[list[list[int]]]:
    """`markov_chain` on ids, without BOS and EOS.

    Args:
        model: a TextVAE.
        rows: the sentences at which the chains start.
        steps: steps of each chain.
        neighbors: see `markov_chain`.
        decoding: see `markov_chain`.
        seed: of all draws.
    """
    steps = checked_count(steps, "steps", 1, MAX_SAMPLES)
    chains: list[list[list[int]]] = []
    step = _stepper(model, steps, neighbors, decoding, seed)
    for part in chunks(len(rows)):
        here = [list(row) for row in rows[part]]
        visited = [here := step(here) for _ in range(steps)]
        chains += [list(chain) for chain in zip(*visited, strict=True)]
    return chains


def _stepper(
    model: TextModel, steps: int, neighbors: bool, decoding: GivenDecoding | None, seed: int
) -> Callable[[list[list[int]]], list[list[int]]]:
    """A function that makes one step of all chains; each call has new draws."""
    checked_count(steps, "steps", 1, LARGEST)
    memory = model.memory if neighbors else None
    if neighbors and memory is None:
        raise ModelError(
            "a walk by neighbors needs a prior that stores training sentences, and the prior of this model does not; "
            "train with prior.kind = 'nearest_neighbors', or walk by the posterior (without --walk)."
        )
    device = model.device
    decoding = model.limited(SamplingConfig(allow_unk=True) if decoding is None else decoding)
    generator, draws = word_generator(seed, device), Draws(seed, device)

    def step(here: list[list[int]]) -> list[list[int]]:
        batch = batch_of(here, device)
        with inference(model), draws.on():
            law = model.posterior_of(batch) if memory is None else memory.near(model.code_of(batch))
            return generate(model.decoder, law.rsample(), decoding, generator=generator).tokens

    return step
