"""Batches side by side on the cores of a CPU: all of them once, errors come out, and settings are as before."""

from __future__ import annotations

import threading

import pytest
import torch

from tests.components import POSTERIORS, prior_beside, scramble
from textvae.evaluation.cores import on_each_core
from textvae.models import TextVAE, TextVAEConfig
from textvae.posteriors import NeedsJoint
from textvae.tasks.encode import encode
from textvae.text.token_rows import TokenRows

CPU = torch.device("cpu")


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_every_part_is_computed_once(cores: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(cores)
    try:
        found: list[int] = []
        seen: set[tuple[int, bool]] = set()
        names: set[str] = set()

        def work(part: int) -> None:
            found.append(part)
            seen.add((torch.get_num_threads(), torch.is_grad_enabled()))
            names.add(threading.current_thread().name)

        with torch.no_grad():
            on_each_core(work, iter(range(50)), CPU)
        assert sorted(found) == list(range(50))
        assert seen == {(1, False)}, "each has a core of its own, and no gradient"
        assert torch.get_num_threads() == cores
        assert (threading.main_thread().name in names) == (cores == 1)
        counts: list[int] = []
        later = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
        later.start()
        later.join()
        assert counts == [cores], "a thread that begins later has what this one has"
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("cores", [1, 2])
def test_an_error_of_a_part_is_raised(cores: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(cores)

    def work(part: int) -> None:
        if part == 7:
            raise ValueError("part 7")

    try:
        with pytest.raises(ValueError, match="part 7"):
            on_each_core(work, range(50), CPU)
        assert torch.get_num_threads() == cores
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_encoding_side_by_side_changes_neither_codes_nor_the_model(posterior: str) -> None:
    """Modes and gradients of all parts are as before; posteriors that see the decoder would mix them up in threads."""
    torch.manual_seed(0)
    prior = {"kind": prior_beside(posterior)}
    config = TextVAEConfig(latent_dim=4, posterior=POSTERIORS[posterior], prior=prior)
    model = scramble(config.build(vocab_size=11, max_tokens=9), scale=0.3).eval()
    assert isinstance(model, TextVAE)
    rows = TokenRows([[4 + (i * k) % 7 for k in range(1, 2 + i % 8)] for i in range(600)])
    found, before = [], torch.get_num_threads()
    for cores in (1, 3):
        torch.set_num_threads(cores)
        try:
            found.append(encode(model, rows))
        finally:
            torch.set_num_threads(before)
        assert not any(part.training for part in model.modules())
        assert all(parameter.requires_grad for parameter in model.parameters())
    if not isinstance(model.posterior, NeedsJoint):  # its steps amplify the rounding of other numbers of threads
        torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)
