"""The fused projection against log_softmax and gather, on each of its paths."""

from __future__ import annotations

import pytest
import torch

from textvae.layers import VocabularyProjection, vocabulary
from textvae.types import BOS_ID, PAD_ID

N, H, V = 23, 7, 50


def plain(projection: VocabularyProjection, hidden: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return projection(hidden).gather(1, target.unsqueeze(1)).squeeze(1)


@pytest.mark.parametrize("keep", [0, 2**27])
@pytest.mark.parametrize("chunk", [1, 4 * V, 2**22])
@pytest.mark.parametrize("rows", [N, 64, 150])
def test_values_and_gradients(monkeypatch: pytest.MonkeyPatch, keep: int, chunk: int, rows: int) -> None:
    """float64, 1e-10, whether probabilities are kept or computed again, whole or in chunks, rows filled up or not."""
    monkeypatch.setattr(vocabulary, "_KEEP_ELEMENTS", keep)
    monkeypatch.setattr(vocabulary, "_CHUNK_ELEMENTS", chunk)
    projection = VocabularyProjection(H, V).double()
    hidden = torch.randn(rows, H, dtype=torch.float64, requires_grad=True)
    target = torch.randint(2, V, (rows,))
    upstream = torch.randn(rows, dtype=torch.float64)
    inputs = [hidden, projection.weight, projection.bias]
    fused = projection.target_log_prob(hidden, target)
    reference = plain(projection, hidden, target)
    torch.testing.assert_close(fused, reference)
    with torch.no_grad():
        torch.testing.assert_close(projection.target_log_prob(hidden, target), reference)
    for one, other in zip(
        torch.autograd.grad(fused, inputs, upstream), torch.autograd.grad(reference, inputs, upstream), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_second_derivatives() -> None:
    """The gradient of a gradient's norm, which Hamiltonian posteriors need, equals that of plain operations."""
    projection = VocabularyProjection(H, V).double()
    target = torch.randint(2, V, (N,))
    results = []
    for score in (projection.target_log_prob, lambda h, t: plain(projection, h, t)):
        torch.manual_seed(1)
        hidden = torch.randn(N, H, dtype=torch.float64, requires_grad=True)
        (first,) = torch.autograd.grad(score(hidden, target).sum(), hidden, create_graph=True)
        results.append(torch.autograd.grad(first.square().sum(), [hidden, projection.weight]))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_very_unlikely_words_keep_a_finite_score() -> None:
    """-1000 nats is far below the smallest float32, and still a score, with and without a gradient."""
    projection = VocabularyProjection(1, 4)
    with torch.no_grad():
        projection.weight.copy_(torch.tensor([[0.0], [0.0], [1000.0], [0.0]]))
    for hidden in (torch.ones(1, 1), torch.ones(1, 1, requires_grad=True)):
        assert projection.target_log_prob(hidden, torch.tensor([3])).item() == pytest.approx(-1000.0)


def test_without_gradients_no_probabilities_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shorter sum is taken wherever gradients are off, also of parameters that could have them."""
    asked = []
    within_reach = vocabulary._within_reach
    monkeypatch.setattr(vocabulary, "_within_reach", lambda *given: asked.append(1) or within_reach(*given))
    projection, hidden, target = VocabularyProjection(H, V), torch.randn(N, H), torch.randint(2, V, (N,))
    projection.target_log_prob(hidden, target)
    assert not asked
    for off in (torch.no_grad, torch.inference_mode):
        with off():
            projection.target_log_prob(hidden, target)
        assert asked
        asked.clear()


def test_padding_and_bos_are_never_said() -> None:
    scores = VocabularyProjection(H, V)(torch.randn(N, H))
    assert (scores[:, [PAD_ID, BOS_ID]] == -torch.inf).all()
    torch.testing.assert_close(scores.exp().sum(-1), torch.ones(N))


def test_bfloat16_scores_are_near_float32_ones() -> None:
    """bf16 keeps 8 bits of the products, so scores of size 10 agree to about 0.1; they come back as float32."""
    projection = VocabularyProjection(H, V)
    hidden, target = torch.randn(N, H), torch.randint(2, V, (N,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = projection.target_log_prob(hidden, target)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, projection.target_log_prob(hidden, target), rtol=0, atol=0.1)


@pytest.mark.parametrize(("scale", "within"), [(1.0, True), (4.0, True), (200.0, False)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_without_a_shift_only_where_nothing_overflows(scale: float, within: bool, dtype: torch.dtype) -> None:
    projection = VocabularyProjection(H, V).to(dtype)
    with torch.no_grad():
        projection.bias.uniform_(-1, 1)
        hidden = scale * torch.nn.functional.normalize(torch.randn(N, H, dtype=dtype)) * 10
        target = torch.randint(2, V, (N,))
        assert vocabulary._within_reach(hidden, projection.weight, projection.bias + projection.forbidden_V) is within
        found = projection.target_log_prob(hidden, target)
        torch.testing.assert_close(found, plain(projection, hidden, target), rtol=1e-5, atol=1e-5)
