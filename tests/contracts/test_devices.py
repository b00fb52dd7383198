"""Every family on the device its model is on: on CUDA where there is one, and by a trap for forgotten devices."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch

from tests.components import (
    CROSSED,
    DECODERS,
    ENCODERS,
    LABEL_FORMS,
    POSTERIORS,
    PRIORS,
    objective_beside,
    random_batch,
    reading,
    remembering,
    scramble,
)
from tests.host_tensors import HostTensors
from tests.oracles.corpus import ListCorpus
from textvae.evaluation import information, likelihood
from textvae.generation import BeamConfig, GreedyConfig, SamplingConfig, generate
from textvae.models import SemiSupervisedConfig, TextVAEConfig
from textvae.types import Context

LABELS = ("a", "b", "c")
PLAIN = ("gaussian", "standard_normal")
KINDS = {"lstm": "lstm-both-2-layers", "gru": "gru-both", "transformer": "transformer-cross"}
CROSSINGS = [
    *[(q, p, "lstm", "lstm-bidirectional-max") for q, p in CROSSED],
    *[(*PLAIN, decoder, "gru") for decoder in KINDS],
    *[(*PLAIN, "lstm", encoder) for encoder in ENCODERS],
]
DEVICES = [
    "trap",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")),
]


def test_the_trap_tells_tensors_of_the_host_from_those_of_a_model() -> None:
    device, weight = torch.device("cpu"), torch.nn.Parameter(torch.ones(3))
    with HostTensors():
        forgotten = {
            "factory": lambda: weight + torch.arange(3),
            "method": lambda: weight.mul(torch.zeros(3) + 1.0),
            "numpy": lambda: weight * torch.from_numpy(np.ones(3)),
            "viewed": lambda: weight @ torch.eye(3).T,
            "host_again": lambda: weight + weight.detach().cpu(),
            "joined": lambda: torch.cat([weight, torch.as_tensor([1.0])]),
            "in_place": lambda: torch.zeros(3).add_(weight),
            "read": lambda: weight.detach().numpy(),
            "array": lambda: np.asarray(weight.detach()),
            "chosen": lambda: weight.index_select(0, torch.tensor([1])),
        }
        for name, mistake in forgotten.items():
            with pytest.raises(RuntimeError, match=r"of the (host|device)"):
                pytest.fail(f"{name} passed: {mistake()}")
        assert (weight + torch.tensor(1.0)).sum() == 6, "a number may come from anywhere"
        assert weight[torch.tensor([1])] == 1 and weight.new_zeros(3).add(weight).sum() == 3
        assert (weight + torch.arange(3).to(device)).sum() == 6 and (weight + torch.ones(3).to(weight)).sum() == 6
        assert (weight * torch.zeros(3, device=weight.device) + torch.zeros_like(weight)).sum() == 0
        assert (torch.arange(3) + torch.ones(3)).numpy().sum() == 6 and weight.detach().cpu().numpy().sum() == 3
    assert (weight + torch.arange(3)).sum() == 6, "outside it is as ever"


@pytest.mark.parametrize("where", DEVICES)
@pytest.mark.parametrize(("posterior", "prior", "decoder", "encoder"), CROSSINGS)
def test_a_model_is_trained_measured_and_read_where_it_is(
    posterior: str, prior: str, decoder: str, encoder: str, where: str
) -> None:
    device = torch.device("cpu" if where == "trap" else where)
    config = TextVAEConfig(
        latent_dim=4,
        encoder=ENCODERS[encoder],
        posterior=POSTERIORS[posterior],
        prior=PRIORS[prior],
        decoder=DECODERS[KINDS[decoder]],
    )
    model = reading(config.build(vocab_size=11, max_tokens=9, label_names=LABELS))
    remembering(model.prior)
    scramble(model, scale=0.2).to(device)
    objective = objective_beside(posterior).build(steps_per_epoch=1, total_steps=1)
    corpus = ListCorpus([[4, 5, 6], [7], [8, 9, 10, 4], [5, 5]])
    trapped: Any = HostTensors() if where == "trap" else nullcontext()
    batch = random_batch(labels=3).to(device)
    with trapped:
        loss = objective(model.terms(batch, 2), 0).loss_B.mean()
        loss.backward()
        found = likelihood(model, corpus, num_samples=3)
        known = information(model, corpus, np.arange(4))
        # How codes become sentences depends on the decoder, not on where codes are from.
        decodings = (GreedyConfig(max_tokens=5), SamplingConfig(max_tokens=5), BeamConfig(width=2, max_tokens=5))
        for decoding in decodings if (posterior, prior) == PLAIN else decodings[:1]:
            assert len(generate(model.decoder, known.codes_ND, decoding).tokens) == 4
        if not getattr(model.prior, "num_labels", 0):
            assert model.prior().sample((3,)).device.type == device.type
    assert loss.device.type == device.type and np.isfinite(found.rec_nll).all()
    assert all(part.grad is None or part.grad.isfinite().all() for part in model.parameters())


@pytest.mark.parametrize("where", DEVICES)
@pytest.mark.parametrize("decoder", LABEL_FORMS)
def test_a_label_enters_a_decoder_where_it_is(decoder: str, where: str) -> None:
    device = torch.device("cpu" if where == "trap" else where)
    config = SemiSupervisedConfig(latent_dim=4, encoder=ENCODERS["gru"], decoder=DECODERS[decoder])
    model = scramble(config.build(vocab_size=11, max_tokens=9, label_names=LABELS), scale=0.2).to(device)
    objective = objective_beside("gaussian").build(steps_per_epoch=1, total_steps=1)
    batches = [random_batch(labels=3).to(device), random_batch().to(device)]
    given = Context(label_B=torch.tensor([2, 0, 1])).to(device)
    trapped: Any = HostTensors() if where == "trap" else nullcontext()
    with trapped:
        for batch in batches:
            loss = objective(model.terms(batch, 2), 0).loss_B.mean()
            loss.backward()
        codes_ND = model.prior_given().sample((3,))
        assert len(generate(model.decoder, codes_ND, BeamConfig(width=2, max_tokens=5), context=given).tokens) == 3
    assert loss.device.type == device.type
    assert all(part.grad is None or part.grad.isfinite().all() for part in model.parameters())
