"""One mask for all positions of a sentence, another for every other sentence, mean 1, and nothing outside training."""

from __future__ import annotations

import pytest
import torch

from textvae.layers import LockedDropout


@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_a_feature_is_dropped_from_the_whole_sentence(rate: float) -> None:
    """2000 sentences of 50 features, seed 0: the share kept and the mean within 5 standard errors."""
    torch.manual_seed(0)
    dropout = LockedDropout(rate)
    kept_BTH = dropout(torch.ones(2000, 3, 50))
    assert torch.equal(kept_BTH, kept_BTH[:, :1].expand(-1, 3, -1)), "the same at every position"
    mask_BH = kept_BTH[:, 0]
    assert mask_BH.unique().tolist() == pytest.approx([0.0, 1.0 / (1.0 - rate)])
    error = (rate / (1.0 - rate) / mask_BH.numel()) ** 0.5
    assert abs(mask_BH.mean().item() - 1.0) < 5 * error
    # By sentence and by feature too: neither axis shares its mask.
    for axis, count in ((0, 2000), (1, 50)):
        assert mask_BH.mean(axis).std() == pytest.approx((rate / (1.0 - rate) / count) ** 0.5, rel=0.4)
    assert not torch.equal(dropout(torch.ones(2000, 3, 50)), kept_BTH), "another mask at every call"


def test_it_multiplies_and_passes_gradients() -> None:
    dropout, x = LockedDropout(0.5), torch.randn(4, 3, 5, requires_grad=True)
    y = dropout(x)
    (grad,) = torch.autograd.grad(y.sum(), x)
    assert set(grad.unique().tolist()) == {0.0, 2.0}
    torch.testing.assert_close(y, grad * x)


def test_time_may_be_another_axis() -> None:
    kept_TBH = LockedDropout(0.5, time_dim=0)(torch.ones(3, 40, 5))
    assert torch.equal(kept_TBH, kept_TBH[:1].expand(3, -1, -1)) and kept_TBH[0].std(0).min() > 0


def test_it_is_off_in_evaluation_and_at_rate_zero() -> None:
    x = torch.randn(4, 3, 5)
    assert torch.equal(LockedDropout(0.5).eval()(x), x)
    assert torch.equal(LockedDropout(0.0)(x), x)
