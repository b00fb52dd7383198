"""A short trial on this machine: how fast models of several sizes train, read and write a user's texts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING

import torch

from textvae.config import parse
from textvae.models import ModelConfig, TextModel
from textvae.objectives import ELBOConfig
from textvae.pipeline.proposal import Rates, Size, Trial
from textvae.pipeline.run_folder import best_device
from textvae.tasks.sentences import batch_of
from textvae.training.validation import isolated_randomness
from textvae.types import Batch

if TYPE_CHECKING:
    from textvae.text.inspect import ProposedTokenizer

_TEXTS, _CHARACTERS = 4000, 1_000_000  # that are tokenized, at most
_CODES = 2  # codes for each sentence, where the decoder scores several
_WRITTEN, _STEPS = 128, 12  # sentences that are generated at once, and their tokens
_LONGEST = 3.0  # seconds after which no further size is tried


def measure(
    proposed: ProposedTokenizer,
    sample: Sequence[str],
    sizes: Sequence[Size],
    *,
    batch_tokens: int,
    affordable: Callable[[Size, Rates], bool],
) -> Trial:
    """Time a few steps of models of several sizes, on the device that training would use.

    The smallest size is timed first, and shows about which is the largest that is affordable. That one and its
    neighbors are timed next, while the trial has taken less than three seconds.

    Args:
        proposed: the tokenizer.
        sample: texts of the user's file.
        sizes: of the models, the smallest first.
        batch_tokens: of a training step.
        affordable: whether a model of a size is trained well in the time, at these rates.
    """
    texts = _some(sample)
    began = time.perf_counter()

    def late() -> bool:
        return time.perf_counter() - began > _LONGEST

    rows = [row[: proposed.max_tokens] for row in proposed.trained.encode_batch(texts)]
    encode = sum(map(len, texts)) / max(time.perf_counter() - began, 1e-6)
    device = best_device()
    batches = [batch_of(rows, device) for rows in _batches(rows, batch_tokens)]

    def rates_of(size: Size) -> Rates:
        with isolated_randomness(device):
            model: TextModel = parse(ModelConfig, size.model(), "the proposed model").build(
                vocab_size=proposed.trained.vocab_size, max_tokens=proposed.max_tokens, label_names=()
            )
            return _rates(model.to(device), batches)

    first = rates_of(sizes[0])
    rates = {sizes[0].hidden: first}
    likely = [number for number, size in enumerate(sizes) if affordable(size, scaled(first, sizes[0], size))]
    start = max(1, max(likely, default=0) - 1)
    # Upwards to the first that is too large; downwards to the first that is not.
    for number in range(start, len(sizes)):
        rates[sizes[number].hidden] = rates_of(sizes[number])
        if late() or not affordable(sizes[number], rates[sizes[number].hidden]):
            break
    for number in range(start, 1, -1):
        if late() or affordable(sizes[number], rates[sizes[number].hidden]):
            break
        rates[sizes[number - 1].hidden] = rates_of(sizes[number - 1])
    return Trial(device.type, encode, dict(sorted(rates.items())))


def scaled(rates: Rates, timed: Size, other: Size) -> Rates:
    """About what rates a model of another size has: in inverse proportion to its width.

    >>> from textvae.pipeline.budget import SIZES
    >>> scaled(Rates(8e3, 16e3, 40e3, 8e3), SIZES[0], SIZES[1]).train
    4000.0
    """
    factor = timed.hidden / other.hidden
    return Rates(*(factor * value for value in astuple(rates)))


def _some(sample: Sequence[str]) -> list[str]:
    """Texts from all parts of the sample, not too many to be tokenized in a moment."""
    texts = list(sample[:: max(1, len(sample) // _TEXTS)])
    return texts[:: max(1, sum(map(len, texts)) // _CHARACTERS)]


def _batches(rows: list[list[int]], batch_tokens: int) -> list[list[list[int]]]:
    """Batches of sentences of similar length, from all parts of the distribution of lengths."""
    ordered = sorted((row for row in rows if row), key=len)
    batches = []
    for quantile in (0.15, 0.5, 0.85):
        start = int(quantile * len(ordered))
        count = max(1, batch_tokens // (len(ordered[start]) + 2))
        batches.append([ordered[i % len(ordered)] for i in range(start, start + count)])
    return batches


def _rates(model: TextModel, batches: list[Batch]) -> Rates:
    objective = ELBOConfig().build(steps_per_epoch=1, total_steps=1)
    moments = [(p, torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()]
    # Times of sentences of all lengths, as in an epoch: the tokens of all batches over the time of all.
    tokens = sum(int((batch.lengths_B - 1).sum()) for batch in batches)

    def train_step(batch: Batch) -> None:
        model.zero_grad(set_to_none=True)
        objective(model.terms(batch, 1), 0).loss_B.mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        # The work of Adam. That of torch would import its compiler first, which takes seconds.
        with torch.no_grad():
            for parameter, mean, square in moments:
                if parameter.grad is not None:
                    mean.lerp_(parameter.grad, 0.1)
                    square.mul_(0.999).addcmul_(parameter.grad, parameter.grad, value=0.001)
                    parameter.addcdiv_(mean, square.sqrt().add_(1e-8), value=-1e-3)

    @torch.no_grad()
    def read(batch: Batch) -> None:
        model.terms(batch, 1)

    @torch.no_grad()
    def score(batch: Batch) -> None:
        z_SBD = torch.randn(_CODES, len(batch.lengths_B), model.latent_dim, device=model.device)
        model.decoder.log_prob(batch.tokens_BT, z_SBD)

    @torch.no_grad()
    def write(_: Batch) -> None:
        state = model.decoder.init_state(torch.randn(_WRITTEN, model.latent_dim, device=model.device))
        token_N = torch.full((_WRITTEN,), 4, device=model.device)
        for _step in range(_STEPS):
            logits_NV, state = model.decoder.step(token_N, state)
            token_N = logits_NV.argmax(-1)

    train = tokens / _seconds(train_step, batches, at_least=0.3)
    model.eval()
    return Rates(
        train=train,
        read=tokens / _seconds(read, batches),
        score=_CODES * tokens / _seconds(score, batches),
        generate=_WRITTEN * _STEPS / _seconds(write, batches[:1]),
    )


def _seconds(work: Callable[[Batch], None], batches: list[Batch], at_least: float = 0.1) -> float:
    """Seconds of the work on all batches: the median of rounds that together take at least so many seconds.

    The work is done once before, because that prepares the kernels.
    """
    times: list[float] = []
    work(batches[0])
    while len(times) < 2 or sum(times) < at_least:
        _wait()
        began = time.perf_counter()
        for batch in batches:
            work(batch)
        _wait()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
