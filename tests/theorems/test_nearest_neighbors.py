"""The nearest-neighbors prior (card B3): what it is before training, what a neighbor is worth, and what is a bound."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.components import DECODERS, SMALL, random_batch, remembering, scramble
from tests.oracles import linear_gaussian as oracle
from tests.oracles.corpus import ListCorpus
from textvae.config import parse
from textvae.decoders import LSTMDecoderConfig
from textvae.distributions import DiagonalGaussian, EqualMixture, LatentDistribution, equal_mixture
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import ConfigError, ModelError
from textvae.evaluation import EvaluateConfig, evaluate, likelihood
from textvae.evaluation.nearest import nearest_kl
from textvae.generation import GreedyConfig, generate
from textvae.models import ModelConfig, TextVAE, TextVAEConfig
from textvae.models.support import require_codes
from textvae.objectives import ELBOConfig
from textvae.posteriors import HamiltonianPosteriorConfig, SteinPosteriorConfig
from textvae.priors import (
    NearestNeighborsPrior,
    NearestNeighborsPriorConfig,
    PriorConfig,
    StandardNormalPriorConfig,
    nearest_neighbors,
)
from textvae.tasks.markov_chain import walk
from textvae.types import Batch, Context

OBJECTIVE = ELBOConfig().build(steps_per_epoch=1, total_steps=1)


def prior_of(codes_ND: Tensor, **settings: Any) -> NearestNeighborsPrior:
    """A fresh prior that remembers these codes."""
    prior = NearestNeighborsPriorConfig(**settings).build(latent_dim=codes_ND.shape[1]).to(codes_ND.dtype)
    prior.begin(len(codes_ND))
    prior.store(torch.arange(len(codes_ND)), codes_ND)
    return prior


def vae(prior: PriorConfig, decoder: str = "lstm-every") -> TextVAE:
    torch.manual_seed(0)
    parts = {"encoder": LSTMEncoderConfig(**SMALL), "decoder": DECODERS[decoder]}
    model = TextVAEConfig(latent_dim=3, prior=prior, **parts).build(vocab_size=12, max_tokens=9)
    for name, parameter in model.named_parameters():
        if not name.startswith("prior"):
            torch.manual_seed(len(name))
            torch.nn.init.normal_(parameter)
    return model


class TestBeforeTraining:
    """p(z|c) = N(0, I) for every c: nothing but the plain ELBO is left."""

    def test_the_loss_is_that_of_the_standard_normal_prior_to_the_last_bit(self) -> None:
        batch, losses = random_batch(vocab_size=12), []
        for prior in (StandardNormalPriorConfig(), NearestNeighborsPriorConfig(neighbors=2)):
            model = vae(prior).train()
            remembering(model.prior)
            torch.manual_seed(0)
            if prior.kind == "standard_normal":
                torch.rand(5)  # by which the other one chooses neighbors
            losses.append(OBJECTIVE(model.terms(batch, 3), 0))
        assert losses[0].loss_B.tolist() == losses[1].loss_B.tolist()
        assert losses[0].metrics_B["kl"].tolist() == losses[1].metrics_B["kl"].tolist()

    def test_so_are_its_bounds(self) -> None:
        rng = np.random.default_rng(0)
        corpus = ListCorpus([rng.integers(4, 12, rng.integers(1, 9)).tolist() for _ in range(30)])
        plain, ours = vae(StandardNormalPriorConfig()), vae(NearestNeighborsPriorConfig(neighbors=2))
        remembering(ours.prior)
        one, other = (likelihood(model, corpus, num_samples=20) for model in (plain, ours))
        np.testing.assert_allclose(other.iw_nll, one.iw_nll, rtol=1e-6)
        # A mixture's KL is by samples: here 20 of them, 4 standard errors over the sentences.
        assert abs((other.kl - one.kl).mean()) < 4 * (other.kl - one.kl).std() / 30**0.5


class TestNeighbors:
    def test_they_are_those_of_all_distances(self) -> None:
        codes, query = torch.randn(50, 4), torch.randn(8, 4)
        found, count = prior_of(codes, neighbors=3).neighbors(query)
        assert found.tolist() == torch.cdist(query, codes).argsort(1)[:, :3].tolist() and count.tolist() == [3] * 8

    def test_a_sentence_is_never_its_own_but_a_copy_of_it_may_be(self) -> None:
        codes = torch.randn(20, 4).repeat(2, 1)
        found, _ = prior_of(codes, neighbors=1).neighbors(codes, torch.arange(40))
        assert found[:, 0].tolist() == [*range(20, 40), *range(20)]

    def test_chunks_change_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        codes = torch.randn(30, 4)
        prior = prior_of(codes, neighbors=4)
        whole = prior.neighbors(codes, torch.arange(30))
        monkeypatch.setattr(nearest_neighbors, "_DISTANCES", 100)
        for one, other in zip(whole, prior.neighbors(codes, torch.arange(30)), strict=True):
            assert one.tolist() == other.tolist()

    def test_each_of_the_nearest_is_drawn_equally_often(self) -> None:
        """6000 draws: every share within 4 standard errors of a third."""
        prior = prior_of(torch.arange(5.0).unsqueeze(1), neighbors=3)
        drawn = prior._drawn(torch.full((6000, 1), 1.1), torch.full((6000,), 1))
        shares = [(drawn == code).float().mean().item() for code in (0.0, 2.0, 3.0)]
        assert sum(shares) == pytest.approx(1.0)
        assert shares == pytest.approx([1 / 3] * 3, abs=4 * (2 / 9 / 6000) ** 0.5)

    def test_only_what_is_stored_is_near(self) -> None:
        prior = NearestNeighborsPriorConfig(neighbors=3).build(latent_dim=1)
        with pytest.raises(ConfigError, match="no codes stored"):
            prior.neighbors(torch.zeros(1, 1))
        prior.begin(9)
        query, ids = torch.full((300, 1), 0.0), torch.arange(300) % 9
        assert prior._drawn(query, ids).eq(0).all(), "before anything is stored there is the origin"
        prior.store(torch.tensor([2, 7]), torch.tensor([[5.0], [-4.0]]))
        _, count = prior.neighbors(query, ids)
        assert count[:9].tolist() == [2, 2, 1, 2, 2, 2, 2, 1, 2]
        drawn = prior._drawn(query, ids)
        assert set(drawn[ids == 0].flatten().tolist()) == {5.0, -4.0}
        assert set(drawn[ids == 2].flatten().tolist()) == {-4.0} and set(drawn[ids == 7].flatten().tolist()) == {5.0}

    def test_half_precision_finds_the_same(self) -> None:
        codes = 100 + torch.randn(40, 4)
        prior = prior_of(codes, neighbors=3)
        expected = prior.neighbors(codes)[0].tolist()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert prior.neighbors(codes)[0].tolist() == expected

    def test_training_without_ids_is_refused(self) -> None:
        prior = prior_of(torch.randn(7, 2), neighbors=2)
        with pytest.raises(ConfigError, match="example ids"):
            prior(Context(vector_BH=torch.zeros(1, 2)))
        with pytest.raises(ConfigError, match="5, and the training corpus has 5"):
            NearestNeighborsPriorConfig().build(latent_dim=2).begin(5)


# What a neighbor is worth: an encoder and a decoder that reconstruct, and a prior that learns beside them.

SENTENCES, STEPS = 64, 250


@cache
def autoencoder() -> tuple[TextVAE, Batch]:
    """Seed 0: 64 different sentences of four words, and a decoder that has nothing but z to tell them apart."""
    torch.manual_seed(0)
    words = torch.randint(4, 14, (SENTENCES, 4))
    edge = torch.ones(SENTENCES, 1, dtype=torch.int64)
    batch = Batch(torch.cat([edge, words, 2 * edge], 1), torch.full((SENTENCES,), 6), None, torch.arange(SENTENCES))
    sizes: dict[str, Any] = {"embedding_dim": 16, "hidden_dim": 32}
    config = TextVAEConfig(
        latent_dim=8,
        encoder=LSTMEncoderConfig(**sizes),
        decoder=LSTMDecoderConfig(**sizes, word_dropout=1.0, z_to="every_step"),
    )
    model = config.build(vocab_size=14, max_tokens=6)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(300):
        terms = model.terms(batch)
        optimizer.zero_grad()
        (-terms.log_px_z_SB.mean() + 0.3 * terms.latents[0].kl_U.mean()).backward()  # type: ignore[union-attr]
        optimizer.step()
    return model.eval(), batch


def learned_rate(copies: int, exclude_self: bool = True) -> tuple[float, float]:
    """KL to the neighbor's prior, before and after it has learned, in a corpus of each sentence so many times."""
    model, batch = autoencoder()
    torch.manual_seed(0)
    with torch.no_grad():
        q = model.posterior_of(batch)
    ids = torch.arange(copies * SENTENCES)
    q = q.rows(ids % SENTENCES)
    prior = prior_of(q.center, neighbors=1, hidden_dim=64)
    if not exclude_self:
        prior._exclude_self = False
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.01)
    found = []
    for _ in range(STEPS):
        kl_B = q.kl_per_dim(prior(Context(vector_BH=q.center, example_id_B=ids))).sum(-1)  # type: ignore[union-attr]
        optimizer.zero_grad()
        kl_B.mean().backward()
        optimizer.step()
        found.append(kl_B.mean().item())
    return found[0], found[-1]


def test_the_codes_tell_the_sentences_apart() -> None:
    """Of 9.2 nats a sentence at first (4 words of 10), less than 2 are left: reconstruction does hold below."""
    model, batch = autoencoder()
    with torch.no_grad():
        nll = -model.terms(batch, 20).log_px_z_SB.mean().item()
    assert nll < 2.0


def test_the_rate_drops_where_each_sentence_occurs_twice() -> None:
    """The encoder and decoder are the same, and with them reconstruction: seen 2.2 nats and 0.05."""
    before, unique = learned_rate(copies=1)
    _, twice = learned_rate(copies=2)
    assert unique < before and twice < 0.1 * unique and twice < 0.2


def test_a_sentence_that_is_its_own_neighbor_is_seen_by_its_rate() -> None:
    """The leak that must not be: with self allowed the KL of unique sentences falls to nothing, too."""
    _, unique = learned_rate(copies=1)
    _, leaking = learned_rate(copies=1, exclude_self=False)
    assert leaking < 0.1 * unique and leaking < 0.2
    assert unique > 1.0


def trained_on(copies: int, steps: int = 100) -> tuple[float, float, TextVAE]:
    """Encoder, decoder and prior go on together from the autoencoder, at KL weight 1, with a memory kept by steps.

    Returns:
        reconstruction and rate of training, nats per sentence, means of the last 20 steps; the model.
    """
    start, once = autoencoder()
    torch.manual_seed(0)
    count = copies * SENTENCES
    batch = Batch(
        once.tokens_BT.repeat(copies, 1), once.lengths_B.repeat(copies), None, torch.arange(copies * SENTENCES)
    )
    config = {**dict(start.config), "prior": NearestNeighborsPriorConfig(neighbors=1, hidden_dim=64)}
    model = TextVAEConfig(**config).build(vocab_size=14, max_tokens=6)
    model.load_state_dict(start.state_dict(), strict=False)
    prior = model.prior
    assert isinstance(prior, NearestNeighborsPrior)
    prior.begin(count)
    prior.store(torch.arange(count), model.code_of(batch))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    found = []
    for step in range(steps):
        output = OBJECTIVE(model.terms(batch), step)
        optimizer.zero_grad()
        output.loss_B.mean().backward()
        optimizer.step()
        prior.store(*prior.take_noticed())  # type: ignore[misc]
        found.append([output.metrics_B[name].mean().item() for name in ("nll", "kl")])
    nll, kl = np.mean(found[-20:], axis=0)
    return float(nll), float(kl), model.eval()


def test_the_rate_drops_in_joint_training_too_and_the_bound_is_not_deceived() -> None:
    """Seen: 1.6 and 1.5 nats of reconstruction and rate where sentences are unique, 0.4 and 0.14 where they are twice.

    No model gives 64 different sentences a mean log-probability above -log 64 = -4.2, so no bound says that it does.
    What training pays falls far below that; ELBO and importance-weighted bound under the mixture do not.
    """
    unique_nll, unique_kl, _ = trained_on(copies=1)
    nll, kl, model = trained_on(copies=2)
    assert nll < unique_nll and kl < 0.25 * unique_kl
    corpus = ListCorpus([row[1:5].tolist() for row in autoencoder()[1].tokens_BT])
    found = likelihood(model, corpus, num_samples=50)
    assert nll + kl < 0.5 * math.log(SENTENCES) < math.log(SENTENCES) < found.iw_nll.mean() < found.elbo_nll.mean()


# The unconditional prior is a density, and bounds under it are bounds.


@pytest.mark.parametrize(
    "settings", [{}, {"components": 2}, {"mixture_codes": 3}, {"components": 3, "mixture_codes": 4}]
)
def test_the_mixture_over_codes_integrates_to_one(settings: dict[str, Any]) -> None:
    torch.manual_seed(1)
    prior = scramble(prior_of(torch.randn(9, 2).double(), neighbors=2, hidden_dim=8, **settings), scale=0.3).eval()
    grid = torch.linspace(-14, 14, 281, dtype=torch.float64)
    with torch.no_grad():
        p = prior()
        z = torch.stack(torch.meshgrid(grid, grid, indexing="ij"), -1)
        density = p.log_prob(z).exp()
        total = density.sum() * (grid[1] - grid[0]) ** 2
        drawn = p.sample((40_000,))
    assert total.item() == pytest.approx(1.0, abs=1e-3)
    mean = (density.unsqueeze(-1) * z).sum((0, 1)) * (grid[1] - grid[0]) ** 2
    assert ((drawn.mean(0) - mean).abs() < 4 * drawn.std(0) / 200).all()
    assert p.components.batch_shape == (settings.get("mixture_codes", 9),)  # type: ignore[union-attr]


def test_the_codes_of_a_capped_mixture_are_drawn_once() -> None:
    def chosen(seed: int) -> list[int]:
        prior = NearestNeighborsPriorConfig(neighbors=2, mixture_codes=5).build(latent_dim=2)
        prior.begin(40, seed)
        return prior.mixture_M.tolist()

    assert len(set(chosen(0))) == 5 and chosen(0) == chosen(0) != chosen(1)


def test_blocks_of_values_change_neither_density_nor_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    loc, z = torch.randn(6, 3).double().requires_grad_(), torch.randn(4, 5, 3).double().requires_grad_()

    def everything() -> tuple[Tensor, ...]:
        value = EqualMixture(DiagonalGaussian(loc, torch.ones(6, 3).double())).log_prob(z)
        first = torch.autograd.grad(value.square().sum(), [z, loc], create_graph=True)
        second = torch.autograd.grad(first[0].square().sum(), [z, loc])
        return (value, *first, *second)

    whole = everything()
    monkeypatch.setattr(equal_mixture, "_PAIRS", 20)
    for one, other in zip(whole, everything(), strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        torch.testing.assert_close(EqualMixture(DiagonalGaussian(loc, torch.ones(6, 3).double())).log_prob(z), whole[0])


class NeighborlyGaussian(oracle.LinearGaussianModel):
    """Oracle O1 under a mixture over codes: log p(x) is a mixture of Gaussians, too."""

    def __init__(self, prior: NearestNeighborsPrior, x_NX: Tensor) -> None:
        super().__init__(x_NX)
        self.posterior = oracle.BestDiagonalPosterior(self)
        self.remembering = prior.eval()

    def prior(self, context: Context | None = None) -> LatentDistribution:  # type: ignore[override]
        return self.remembering(context)

    def exact_log_p(self, x_BX: Tensor | None = None) -> Tensor:
        x_BX = self.x_NX if x_BX is None else x_BX
        each, weight = self.remembering.conditional(self.remembering.codes_ND), self.decoder.weight
        loc_NX = each.mean @ weight.T + self.decoder.bias
        covariance_NXX = torch.einsum("xd,nd,yd->nxy", weight, each.variance, weight) + oracle.VARIANCE * torch.eye(4)
        by_code_BN = torch.distributions.MultivariateNormal(loc_NX, covariance_NXX).log_prob(x_BX.unsqueeze(1))
        return by_code_BN.logsumexp(1) - math.log(by_code_BN.shape[1])


def test_bounds_under_the_mixture_stay_below_the_exact_likelihood() -> None:
    """O1 with codes for seven training points: 600 estimates each, within 3 standard errors, and they come near it."""
    torch.manual_seed(0)
    prior = scramble(prior_of(torch.randn(7, 2).double(), neighbors=2, hidden_dim=8), scale=0.3)
    assert isinstance(prior, NearestNeighborsPrior)
    model = NeighborlyGaussian(prior, torch.tensor([oracle.X] * 600, dtype=torch.float64))
    exact = model.exact_log_p()[0].item()
    found = likelihood(model, ListCorpus([[row] for row in range(600)]), num_samples=50)
    for nll_N in (found.elbo_nll, *found.curve.values()):
        assert -nll_N.mean() < exact + 3 * nll_N.std() / 600**0.5
    assert -found.iw_nll.mean() == pytest.approx(exact, abs=0.02)
    assert -found.elbo_nll.mean() < -found.iw_nll.mean() < exact + 3 * found.iw_nll.std() / 600**0.5


def with_memory(neighbors: int) -> TextVAE:
    """The autoencoder with a prior, of random weights, that remembers its sentences."""
    model, batch = autoencoder()
    with torch.no_grad():
        prior = scramble(prior_of(model.code_of(batch), neighbors=neighbors), scale=0.1)
    config = {**dict(model.config), "prior": NearestNeighborsPriorConfig(neighbors=neighbors)}
    ours = TextVAEConfig(**config).build(vocab_size=14, max_tokens=6)
    ours.load_state_dict({**model.state_dict(), **{f"prior.{k}": v for k, v in prior.state_dict().items()}})
    return ours.eval()


def test_the_rate_to_neighbors_is_no_bound_until_they_are_named() -> None:
    """Exact in expectation, for each sentence: KL(q || mixture) <= mean KL to the K nearest + log(N / K)."""
    model, batch = autoencoder()
    corpus = ListCorpus([row[1:5].tolist() for row in batch.tokens_BT])
    for neighbors in (1, 5):
        ours = with_memory(neighbors)
        prior, codes = ours.prior, ours.prior.codes_ND
        assert isinstance(prior, NearestNeighborsPrior)
        nearest_N = nearest_kl(ours, corpus, np.arange(SENTENCES))
        kl_N = likelihood(ours, corpus, num_samples=400).kl
        # By 400 samples of a log-ratio that varies by less than 4 nats: 0.2 is a standard error.
        assert (kl_N <= nearest_N + math.log(SENTENCES / neighbors) + 4 * 0.2).all()
        assert kl_N.mean() <= nearest_N.mean() + math.log(SENTENCES / neighbors)
        # By hand: every sentence is stored, so the nearest is itself, and the next ones follow by distance.
        order = torch.cdist(codes, codes).argsort(1)[:, :neighbors]
        with torch.no_grad():
            q = model.posterior_of(batch)
            each = [q.kl_per_dim(prior.conditional(codes[order[:, k]])).sum(-1) for k in range(neighbors)]  # type: ignore[operator, union-attr]
        np.testing.assert_allclose(nearest_N, torch.stack(each).mean(0), rtol=1e-4)


def test_a_walk_goes_to_what_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where p(z|c) is all but c itself: a greedy step from a sentence ends at that of one of its two nearest codes."""
    _, batch = autoencoder()
    model, greedy = with_memory(neighbors=2), GreedyConfig()
    prior = model.prior
    assert isinstance(prior, NearestNeighborsPrior)
    monkeypatch.setattr(prior, "conditional", lambda c: DiagonalGaussian(c, torch.full_like(c, 1e-4)))
    rows = [row[1:5].tolist() for row in batch.tokens_BT]
    with torch.no_grad():
        index_N2 = prior.neighbors(model.code_of(batch))[0]
        said = [generate(model.decoder, prior.codes_ND[index_N2[:, k]], model.limited(greedy)).tokens for k in (0, 1)]
    chains = [walk(model, rows, 1, neighbors=True, decoding=greedy, seed=seed) for seed in (0, 1)]
    landed = [
        [(chain[0] == near, chain[0] == next_) for chain, near, next_ in zip(c, *said, strict=True)] for c in chains
    ]
    assert all(any(where) for where in landed[0] + landed[1])
    # Both ways are gone: of 64 fair throws 32, give or take 4 standard deviations of 4.
    assert 16 <= sum(near for near, _ in landed[0]) <= 52 and landed[0] != landed[1]
    assert walk(model, rows, 1, neighbors=True, decoding=greedy, seed=0) == chains[0]
    with pytest.raises(ModelError, match="nearest_neighbors"):
        walk(vae(StandardNormalPriorConfig()), rows, 1, neighbors=True)


class TestEvaluation:
    def model(self, **settings: Any) -> TextVAE:
        model = vae(NearestNeighborsPriorConfig(neighbors=2, hidden_dim=8, **settings))
        remembering(model.prior, sentences=9)
        return scramble(model, scale=0.2)  # type: ignore[return-value]

    def corpus(self, sentences: int = 25) -> ListCorpus:
        rng = np.random.default_rng(0)
        return ListCorpus([rng.integers(4, 12, rng.integers(1, 9)).tolist() for _ in range(sentences)])

    @pytest.mark.parametrize("components", [1, 2])
    def test_both_rates_are_there_under_their_names(self, components: int) -> None:
        model = self.model(components=components).train()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        found = evaluate(model, self.corpus(), EvaluateConfig(iw_samples=5, quality_samples=0))
        assert found["kl"] > 0 and found["kl_nearest"] > 0 and found["kl"] != found["kl_nearest"]
        assert found["kl_nearest_naming"] == pytest.approx(math.log(9 / 2))
        assert found["elbo_nll"] == pytest.approx(found["rec_nll"] + found["kl"])
        assert model.training and model.prior.take_noticed() is None, "no evaluated sentence is remembered"
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())

    def test_on_training_sentences_the_rate_to_oneself_is_not_reported(self) -> None:
        settings = EvaluateConfig(iw_samples=2, quality_samples=0, split="train")
        assert "kl_nearest" not in evaluate(self.model(), self.corpus(), settings)

    def test_nothing_depends_on_the_batch_budget(self) -> None:
        model, corpus = self.model(components=2), self.corpus()
        settings: dict[str, Any] = {"iw_samples": 5, "quality_samples": 0}
        one, other = (evaluate(model, corpus, EvaluateConfig(**settings, batch_tokens=b)) for b in (100_000, 40))
        for name in ("kl", "kl_nearest", "elbo_nll", "iw_nll"):
            assert one[name] == pytest.approx(other[name], rel=1e-4), name


@pytest.mark.parametrize("decoder", ["lstm-every", "transformer-prefix"])
def test_training_mode_sees_neighbors_and_validation_the_mixture(decoder: str) -> None:
    model, batch = vae(NearestNeighborsPriorConfig(neighbors=2), decoder), random_batch(vocab_size=12)
    remembering(model.prior)
    group = model.train().terms(batch).latents[0]
    assert group.prior.batch_shape == (5,) and group.kl_per_dim_UD is not None
    noticed = model.prior.take_noticed()
    assert noticed is not None and noticed[0].tolist() == list(range(5)) and not noticed[1].requires_grad
    torch.testing.assert_close(noticed[1], group.posterior.mean)  # type: ignore[arg-type]
    group = model.eval().terms(batch).latents[0]
    own = Context(vector_BH=torch.zeros(5, 3), example_id_B=torch.arange(5))
    assert isinstance(model.prior(own), EqualMixture) and model.prior.take_noticed() is None
    assert isinstance(group.prior, EqualMixture) and group.prior.batch_shape == () and group.kl_U is None


class TestRefusals:
    written: dict[str, Any] = {"kind": "text_vae", "latent_dim": 4, "prior": {"kind": "nearest_neighbors"}}  # noqa: RUF012

    def test_a_semi_supervised_model(self) -> None:
        with pytest.raises(ConfigError, match=r"semi_supervised model .* use 'mixture' or 'standard_normal'"):
            parse(ModelConfig, {**self.written, "kind": "semi_supervised"}, "recipe")

    def test_posteriors_on_a_sphere(self) -> None:
        with pytest.raises(ConfigError, match="use the prior hyperspherical_uniform"):
            parse(ModelConfig, {**self.written, "posterior": {"kind": "von_mises_fisher"}}, "recipe")

    def test_posteriors_without_a_code(self) -> None:
        with pytest.raises(ConfigError, match=r"origin for every sentence.* use the posterior 'gaussian'"):
            parse(ModelConfig, {**self.written, "posterior": {"kind": "zero_mean"}}, "recipe")
        for other in (SteinPosteriorConfig(), HamiltonianPosteriorConfig()):
            with pytest.raises(ValueError, match=f"a {other.kind} posterior .* use the posterior 'gaussian'"):
                require_codes(other, NearestNeighborsPriorConfig())
            require_codes(other, StandardNormalPriorConfig())
