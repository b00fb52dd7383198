"""The path between two sentences through latent space (the homotopies of Bowman et al. 2016, arXiv 1511.06349)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from textvae.arguments import checked_count
from textvae.config import MAX_PATH
from textvae.errors import ConfigError
from textvae.generation import GivenDecoding, generate, inference, word_generator
from textvae.models import TextModel
from textvae.results import Interpolation
from textvae.tasks.sentences import chunks, require_latent, tell_of_fixed_mean
from textvae.text.batching import checked_ids
from textvae.text.given import GivenOverlong, checked_texts
from textvae.types import SPHERE

Kind = Literal["linear", "spherical"]


def interpolate(
    model: TextModel,
    start: str,
    end: str,
    *,
    steps: int = 7,
    kind: Kind | str | None = None,
    decoding: GivenDecoding | None = None,
    overlong: GivenOverlong = "error",
    seed: int = 0,
) -> Interpolation:
    """Decode points on the path between the posterior means (on a sphere, the mean directions) of two sentences.

    Args:
        model: a TextVAE with its tokenizer.
        start: the first sentence.
        end: the last sentence.
        steps: points on the path, both ends included, at most 10 000.
        kind: "linear" or "spherical" (see `spherical`); None for spherical where codes are on a sphere, else
            linear.
        decoding: greedy when None.
        overlong: sentences longer than the model was trained for are refused ("error"), or cut as in training
            ("truncate").
        seed: of decoding by sampling.

    Raises:
        DataError: a sentence is empty, or too long.
        ModelError: the model has no z.
        ConfigError: fewer than two steps or too many, an unknown kind, or a straight line between codes on a sphere.
    """
    require_latent(model, "interpolate")
    tell_of_fixed_mean(model, "interpolate", "use generate and impute, or a model with another posterior")
    steps, kind = checked_path(steps, kind)
    start, end = checked_texts([start, end])
    on_sphere = model.support == SPHERE
    if kind is None:
        kind = "spherical" if on_sphere else "linear"
    if on_sphere and kind == "linear":
        raise ConfigError(
            "kind is 'linear', but the model's codes are on a sphere, which a straight line leaves; use 'spherical'."
        )
    tokenizer, device = model.require_tokenizer(), model.device
    decoding, generator = model.limited(decoding), word_generator(seed, device)
    with inference(model):
        a_D, b_D = model.encode([start, end], overlong=overlong)
        at_N = torch.linspace(0.0, 1.0, steps, dtype=a_D.dtype, device=a_D.device)
        z_ND = linear(a_D, b_D, at_N) if kind == "linear" else spherical(a_D, b_D, at_N)
        tokens: list[list[int]] = []
        for part in chunks(steps):
            tokens += generate(model.decoder, z_ND[part], decoding, generator=generator).tokens
    texts = tuple(tokenizer.show_batch(tokens))
    given = checked_ids([start, end], tokenizer, model.max_tokens, overlong=overlong)
    edits = tuple(edit_distance(one, other) for one, other in pairwise(tokens))
    ends = {tuple(row) for row in (*given, tokens[0], tokens[-1])}
    return Interpolation(
        start=start,
        end=end,
        kind=kind,
        texts=texts,
        z=tuple(tuple(row) for row in z_ND.tolist()),
        edits=edits,
        evenness=evenness(edits),
        ends_changed=0.5 * (_changed(given[0], tokens[0]) + _changed(given[1], tokens[-1])),
        new_sentences=len({tuple(row) for row in tokens} - ends),
    )


def evenness(changes: Sequence[int] | Sequence[float]) -> float | None:
    """How evenly a change is spread over n steps: 1 - (s - 1/n) / (1 - 1/n), s the largest step's share of it.

    Args:
        changes: of each step, at least 0.

    Returns:
        1 for equal steps, 0 for one jump; None where nothing changes, or for a single step.

    >>> evenness([2, 2, 2]), evenness([0, 5, 0]), evenness([0, 0]), evenness([3])
    (1.0, 0.0, None, None)
    """
    steps, total = len(changes), sum(changes)
    if steps < 2 or not total:
        return None
    # In this form it is exactly 1 and 0 at the ends.
    return (total - max(changes)) * steps / (total * (steps - 1))


def _changed(one: Sequence[int], other: Sequence[int]) -> float:
    return edit_distance(one, other) / max(len(one), len(other), 1)


def checked_path(steps: int, kind: str | None) -> tuple[int, str | None]:
    """The steps and the kind of a path, checked as far as possible without a model.

    Raises:
        ConfigError: fewer than two steps or too many, or an unknown kind.
    """
    if kind not in (None, "linear", "spherical"):
        raise ConfigError(f"kind is {kind!r}; expected 'linear' or 'spherical'.")
    return checked_count(steps, "steps", 2, MAX_PATH), kind


def linear(a_D: Tensor, b_D: Tensor, at_N: Tensor) -> Tensor:
    """(1 - t) a + t b, [N, D].

    >>> linear(torch.tensor([0.0]), torch.tensor([2.0]), torch.tensor([0.0, 0.5, 1.0])).flatten().tolist()
    [0.0, 1.0, 2.0]
    """
    return torch.lerp(a_D, b_D, at_N.unsqueeze(1))


def spherical(a_D: Tensor, b_D: Tensor, at_N: Tensor) -> Tensor:
    """The direction turns at constant speed (Shoemake 1985), the norm changes linearly from |a| to |b|, [N, D].

    Points between two posterior means then have norms like those of the means. A straight line passes nearer to the
    origin, where a Gaussian prior of many dimensions has almost no mass. Where the directions coincide or one vector
    is zero, the path is the straight line. Between opposite directions all great circles are equally short; a fixed
    one is used.

    >>> half = spherical(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0]), torch.tensor([0.5]))
    >>> [round(x, 6) for x in half.flatten().tolist()]
    [1.414214, 1.414214]
    """
    a, b, at = a_D.double(), b_D.double(), at_N.double().unsqueeze(1)
    norm_a, norm_b = a.norm(), b.norm()
    if norm_a < 1e-12 or norm_b < 1e-12:
        return linear(a_D, b_D, at_N)
    from_D, to_D = a / norm_a, b / norm_b
    # The component of b's direction orthogonal to a's spans the plane of the turn; its length is sin(angle).
    cosine = (from_D @ to_D).clamp(-1.0, 1.0)
    aside_D = to_D - cosine * from_D
    sine = aside_D.norm()
    if sine < 1e-7:
        if cosine > 0:
            return linear(a_D, b_D, at_N)
        if len(from_D) == 1:
            return linear(a_D, b_D, at_N)
        axis_D = torch.zeros_like(from_D)
        axis_D[from_D.abs().argmin()] = 1.0
        aside_D = axis_D - (axis_D @ from_D) * from_D
    aside_D = aside_D / aside_D.norm()
    angle = torch.atan2(sine, cosine)
    direction_ND = torch.cos(at * angle) * from_D + torch.sin(at * angle) * aside_D
    return (((1.0 - at) * norm_a + at * norm_b) * direction_ND).to(a_D.dtype)


def edit_distance(a: Sequence[int], b: Sequence[int]) -> int:
    """Fewest insertions, deletions and replacements that turn `a` into `b` (Levenshtein).

    >>> edit_distance([1, 2, 3], [1, 3, 4])
    2
    """
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]
