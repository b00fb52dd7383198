"""Bidirectional Monte Carlo: how far each bound is from log p(x), on sentences sampled from the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textvae.arguments import checked_seed
from textvae.errors import ModelError
from textvae.evaluation.annealed import AISConfig, log_mean_exp, prepared
from textvae.evaluation.likelihood import likelihood, mean_and_error
from textvae.evaluation.noise import own_randomness
from textvae.evaluation.protocol import Progress, cpu64
from textvae.evaluation.sweep import BATCH_TOKENS, sweep
from textvae.generation import SamplingConfig, generate
from textvae.models import TextModel
from textvae.text.token_rows import TokenRows

_TRIES = 20
"""Most batches of sentences that are drawn to find enough that end."""


class Simulated(TokenRows):
    """Sentences sampled from a model, each with the code it was decoded from: an exact draw of p(z|x).

    Args:
        sentences: ids without BOS and EOS.
        codes_ND: of the same sentences.
    """

    def __init__(self, sentences: list[list[int]], codes_ND: Tensor) -> None:
        super().__init__(sentences)
        self.codes_ND = codes_ND


def simulate(model: TextModel, count: int, *, seed: int = 0) -> Simulated:
    """Draw z from p(z) and x from p(x|z), `<unk>` included.

    Sentences that do not end within the model's limit are dropped. Whether a sentence ends is a function of x, so
    given x the code is still a draw of p(z|x).

    Raises:
        ModelError: too few sentences end.
    """
    seed = checked_seed(seed)
    kept: list[list[int]] = []
    codes: list[Tensor] = []
    sampling = SamplingConfig(allow_unk=True, max_tokens=model.max_tokens)
    with own_randomness(model):
        # One generator for codes and words: two generators with the same seed would make them dependent.
        torch.manual_seed(seed)
        for _ in range(_TRIES):
            z_ND, _ = model.prior_given().rsample_and_log_prob((count,))
            made = generate(model.decoder, z_ND, sampling)
            for row in made.finished_N.nonzero().flatten().tolist():
                kept.append(made.tokens[row])
                codes.append(z_ND[row])
            if len(kept) >= count:
                return Simulated(kept[:count], torch.stack(codes[:count]))
    raise ModelError(
        f"of {_TRIES * count} sentences drawn from the model {len(kept)} ended within {model.max_tokens} tokens, "
        f"expected {count}; set simulated = 0 in evaluate.ais to leave these bounds out."
    )


@dataclass(frozen=True)
class Sandwich:
    """Bounds on -log p(x) of N simulated sentences, from both sides; float64 [N], nats.

    Attributes:
        upper: by annealing forward: in expectation not below -log p(x).
        lower: by annealing backward from the code of each sentence: in expectation not above -log p(x).
        iw: the importance-weighted bound, which is compared with them; None for a q without a density.
    """

    upper: np.ndarray
    lower: np.ndarray
    iw: np.ndarray | None

    def metrics(self) -> dict[str, Any]:
        """Means over sentences under the names of `report.json`, and means of paired differences; with errors."""
        found: dict[str, Any] = {"simulated_sentences": len(self.upper)}
        columns = {"nll_upper": self.upper, "nll_lower": self.lower, "gap": self.upper - self.lower}
        if self.iw is not None:
            columns |= {"iw_nll": self.iw, "iw_distance": self.iw - self.lower}
        for name, values_N in columns.items():
            mean, error = mean_and_error(values_N)
            found |= {f"simulated_{name}": mean, f"simulated_{name}_se": error}
        return found


def bidirectional(
    model: TextModel,
    config: AISConfig,
    *,
    iw_samples: int,
    batch_tokens: int = BATCH_TOKENS,
    seed: int = 0,
    progress: Progress | None = None,
    corpus: Simulated | None = None,
) -> Sandwich:
    """Bounds from above and below on sentences of the model (Grosse et al. 2015, arXiv 1511.02543; Wu et al. 2017).

    For real sentences no exact draw of p(z|x) is known. The gap found here indicates how tight the bounds are on
    real sentences; it does not prove it.

    Args:
        model: see `annealed_likelihood`.
        config: `simulated` is the number of sentences.
        iw_samples: of the importance-weighted bound.
        batch_tokens: rows times tokens of a decoder call, at most.
        seed: of everything random.
        progress: called after every batch.
        corpus: sentences with their codes; drawn from the model when None.
    """
    seed = checked_seed(seed)
    if corpus is None:
        corpus = simulate(model, config.simulated, seed=seed)
    upper, lower = np.zeros(len(corpus)), np.zeros(len(corpus))
    swept = sweep(
        model,
        corpus,
        np.arange(len(corpus)),
        "annealing the model's own sentences",
        batch_tokens=batch_tokens,
        copies=config.chains,
        progress=progress,
    )
    with swept as parts:
        for part in parts:
            ready = prepared(model, part, config, seed=seed, batch_tokens=batch_tokens)
            log_w_SB, _ = ready.path.forward(ready.z_SBD, ready.sizes)
            upper[part.rows] = -cpu64(log_mean_exp(log_w_SB))
            exact_SBD = corpus.codes_ND[torch.as_tensor(part.rows, device=corpus.codes_ND.device)].to(ready.z_SBD)
            back_SB = ready.path.backward(exact_SBD.expand_as(ready.z_SBD), ready.sizes)
            lower[part.rows] = cpu64(log_mean_exp(-back_SB))
    bounds = likelihood(model, corpus, num_samples=iw_samples, batch_tokens=batch_tokens, seed=seed)
    return Sandwich(upper, lower, bounds.iw_nll)
