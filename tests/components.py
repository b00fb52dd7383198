"""The lists over which contract tests and theorems run: adding a component adds one line here."""

from __future__ import annotations

from typing import Any

import torch

from textvae.decoders import DecoderConfig, GRUDecoderConfig, LSTMDecoderConfig, TransformerDecoderConfig
from textvae.encoders import EncoderConfig, GRUEncoderConfig, LSTMEncoderConfig, TransformerEncoderConfig
from textvae.models.support import require_codes, require_density, require_floor
from textvae.objectives import (
    ELBOConfig,
    InfoVAEConfig,
    IWAEConfig,
    ObjectiveConfig,
    RenyiConfig,
    SteinConfig,
    UnregularizedConfig,
)
from textvae.posteriors import (
    BatchNormConfig,
    FreeTemperingConfig,
    GaussianPosteriorConfig,
    HamiltonianPosteriorConfig,
    HierarchicalPosteriorConfig,
    InverseAutoregressivePosteriorConfig,
    MixturePosteriorConfig,
    PosteriorConfig,
    PowerSphericalPosteriorConfig,
    SemiAmortizedPosteriorConfig,
    SteinPosteriorConfig,
    VonMisesFisherPosteriorConfig,
    ZeroMeanPosteriorConfig,
)
from textvae.priors import (
    AutoregressiveFlowPriorConfig,
    ConditionalPriorConfig,
    HierarchicalPriorConfig,
    HypersphericalUniformPriorConfig,
    MixturePriorConfig,
    NearestNeighborsPrior,
    NearestNeighborsPriorConfig,
    Prior,
    PriorConfig,
    StandardNormalPriorConfig,
    VampPriorConfig,
)
from textvae.regularizers import BagOfWordsConfig, RegularizerConfig
from textvae.types import BOS_ID, EOS_ID, Batch

SMALL: dict[str, Any] = {"embedding_dim": 6, "hidden_dim": 5}
TINY_T: dict[str, Any] = {"model_dim": 8, "layers": 2, "heads": 2}

ENCODERS: dict[str, EncoderConfig] = {
    "lstm": LSTMEncoderConfig(**SMALL),
    "lstm-bidirectional-2-layers": LSTMEncoderConfig(**SMALL, layers=2, bidirectional=True),
    "lstm-bidirectional-max": LSTMEncoderConfig(**SMALL, bidirectional=True, pooling="max"),
    "lstm-mean": LSTMEncoderConfig(**SMALL, pooling="mean"),
    "gru": GRUEncoderConfig(**SMALL),
    "gru-bidirectional": GRUEncoderConfig(**SMALL, layers=2, bidirectional=True),
    "transformer-mean": TransformerEncoderConfig(**TINY_T),
    "transformer-last": TransformerEncoderConfig(**TINY_T, pooling="last"),
    "transformer-max": TransformerEncoderConfig(**TINY_T, pooling="max"),
}

DECODERS: dict[str, DecoderConfig] = {
    "lstm-initial": LSTMDecoderConfig(**SMALL, z_to="initial_state"),
    "lstm-every": LSTMDecoderConfig(**SMALL, z_to="every_step"),
    "lstm-both-2-layers": LSTMDecoderConfig(**SMALL, z_to="both", layers=2, dropout=0.3),
    "lstm-word-dropout": LSTMDecoderConfig(**SMALL, word_dropout=0.4),
    "lstm-inputless": LSTMDecoderConfig(**SMALL, word_dropout=1.0),
    "lstm-tied": LSTMDecoderConfig(embedding_dim=5, hidden_dim=5, tie_embeddings=True),
    "lstm-tied-larger": LSTMDecoderConfig(embedding_dim=5, hidden_dim=7, tie_embeddings=True, state_dropout=0.4),
    "gru-both": GRUDecoderConfig(**SMALL, z_to="both", layers=2, state_dropout=0.3),
    "gru-inputless-every": GRUDecoderConfig(**SMALL, z_to="every_step", word_dropout=1.0),
    "transformer-prefix": TransformerDecoderConfig(**TINY_T, z_to="prefix"),
    "transformer-embedding": TransformerDecoderConfig(**TINY_T, z_to="embedding", word_dropout=0.4),
    "transformer-cross": TransformerDecoderConfig(**TINY_T, z_to="cross_attention"),
    "transformer-inputless": TransformerDecoderConfig(**TINY_T, word_dropout=1.0, tie_embeddings=False),
}

POSTERIORS: dict[str, PosteriorConfig] = {
    "gaussian": GaussianPosteriorConfig(),
    "von_mises_fisher-rate": VonMisesFisherPosteriorConfig(concentration={"kind": "rate", "nats": 2.0}),
    "von_mises_fisher-learned": VonMisesFisherPosteriorConfig(concentration={"kind": "learned"}),
    "power_spherical-fixed": PowerSphericalPosteriorConfig(concentration={"kind": "fixed", "value": 6.0}),
    "power_spherical-learned": PowerSphericalPosteriorConfig(concentration={"kind": "learned", "floor": 0.5}),
    "gaussian-batch-norm": GaussianPosteriorConfig(batch_norm=BatchNormConfig(scale=0.6)),
    "gaussian-committed": GaussianPosteriorConfig(committed_rate=2.0),
    "gaussian-batch-norm-committed": GaussianPosteriorConfig(batch_norm=BatchNormConfig(), committed_rate=1.0),
    "semi_amortized": SemiAmortizedPosteriorConfig(),
    "stein": SteinPosteriorConfig(hidden_dim=8),
    "hierarchical": HierarchicalPosteriorConfig(levels=2, hidden_dim=5),
    "hamiltonian": HamiltonianPosteriorConfig(steps=2),
    "hamiltonian-free": HamiltonianPosteriorConfig(steps=3, tempering=FreeTemperingConfig(), every_step=True),
    "inverse_autoregressive": InverseAutoregressivePosteriorConfig(hidden_dim=8, context_dim=3),
    "inverse_autoregressive-deep": InverseAutoregressivePosteriorConfig(
        hidden_dim=6, context_dim=3, steps=3, hidden_layers=2
    ),
    "mixture": MixturePosteriorConfig(components=3),
    "mixture-stratified": MixturePosteriorConfig(components=3, estimator="stratified"),
    "mixture-score": MixturePosteriorConfig(components=3, estimator="score"),
    "zero_mean": ZeroMeanPosteriorConfig(),
    "zero_mean-variance": ZeroMeanPosteriorConfig(head="variance"),
}
IMPLICIT = {"von_mises_fisher-learned", "power_spherical-learned"} | {
    name for name in POSTERIORS if name.startswith("mixture")
}
"""Posteriors whose sample is no smooth function of noise and parameters (a sampler that rejects, and gradients that are
implicit): finite differences under common noise measure something else. Their own tests hold the quantile instead."""
EXTENDED = {name for name in POSTERIORS if POSTERIORS[name].extended}
"""Posteriors that move what `forward` gives, and whose densities carry auxiliary variables: a code alone has none, and
`forward` knows nothing of how it moves. Their own theorems are in tests/theorems/test_hamiltonian.py."""

WITHOUT_DENSITY = {name for name, config in POSTERIORS.items() if not config.has_density}
"""Posteriors with samples and no density: what is said of log q, of a KL or of the ELBO cannot be said of them."""

PRIORS: dict[str, PriorConfig] = {
    "hyperspherical_uniform": HypersphericalUniformPriorConfig(),
    "standard_normal": StandardNormalPriorConfig(),
    "autoregressive_flow": AutoregressiveFlowPriorConfig(hidden_dim=8),
    "conditional": ConditionalPriorConfig(num_labels=3),
    "hierarchical": HierarchicalPriorConfig(levels=2, hidden_dim=5),
    "mixture": MixturePriorConfig(components=3),
    "nearest_neighbors": NearestNeighborsPriorConfig(neighbors=2, hidden_dim=8),
    "nearest_neighbors-mixtures": NearestNeighborsPriorConfig(neighbors=2, hidden_dim=8, components=2, mixture_codes=4),
    "vamp": VampPriorConfig(components=4),
}


def fit(posterior: PosteriorConfig, prior: PriorConfig) -> bool:
    """Whether a model may have both."""
    try:
        require_codes(posterior, prior)
        require_density(posterior, prior)
        require_floor(posterior, prior)
    except ValueError:
        return False
    return posterior.support == prior.support


PAIRS = [(q, p) for q in POSTERIORS for p in PRIORS if fit(POSTERIORS[q], PRIORS[p])]
"""Posterior and prior of the same space, with codes to compare where the prior compares them, a density where the
prior is made of it, the same for every batch, and no floor under a KL to another prior."""


def prior_beside(posterior: str) -> str:
    """The plain prior of a posterior's space."""
    return "hyperspherical_uniform" if POSTERIORS[posterior].support == "sphere" else "standard_normal"


def posterior_beside(prior: str) -> str:
    """The plain posterior of a prior's space."""
    return "von_mises_fisher-learned" if PRIORS[prior].support == "sphere" else "gaussian"


def objective_beside(posterior: str) -> ObjectiveConfig:
    """The plain objective of a posterior."""
    return SteinConfig() if posterior in WITHOUT_DENSITY else ELBOConfig()


OBJECTIVES: dict[str, ObjectiveConfig] = {
    "elbo": ELBOConfig(),
    "info_vae": InfoVAEConfig(scale=10.0),
    "info_vae-kl": InfoVAEConfig(alpha=0.5, scale=3.0),
    "iwae-plain": IWAEConfig(samples=3, gradient="plain"),
    "iwae-sticking_the_landing": IWAEConfig(samples=1, gradient="sticking_the_landing"),
    "iwae-doubly_reparameterized": IWAEConfig(samples=3),
    "renyi": RenyiConfig(samples=3),
    "unregularized": UnregularizedConfig(),
}

REGULARIZERS: dict[str, RegularizerConfig] = {
    "bag_of_words": BagOfWordsConfig(),
    "bag_of_words-hidden": BagOfWordsConfig(weight=0.3, hidden_dim=4),
}


def composed_prior(
    config: PriorConfig, latent_dim: int, feature_dim: int = 6, dtype: torch.dtype = torch.float32
) -> Prior:
    """A prior as a model composes it, beside a Gaussian posterior."""
    prior = config.build(latent_dim=latent_dim)
    posterior = GaussianPosteriorConfig().build(feature_dim=feature_dim, latent_dim=latent_dim)
    prior.compose(posterior.to(dtype), feature_dim=feature_dim)
    return remembering(prior.to(dtype))


def remembering(prior: Prior, sentences: int = 7, seed: int = 0) -> Prior:
    """Any prior; one with a memory of codes has some random ones in it."""
    if isinstance(prior, NearestNeighborsPrior):
        generator = torch.Generator().manual_seed(seed)
        prior.begin(sentences)
        prior.store(torch.arange(sentences), torch.randn(sentences, prior.latent_dim, generator=generator))
    return prior


def random_batch(
    sentences: int = 5, longest: int = 6, vocab_size: int = 11, labels: int = 0, seed: int = 0, extra_padding: int = 0
) -> Batch:
    """Sentences of random length and words, none of them special."""
    generator = torch.Generator().manual_seed(seed)
    lengths_B = torch.randint(1, longest + 1, (sentences,), generator=generator) + 2
    tokens_BT = torch.zeros(sentences, int(lengths_B.max()) + extra_padding, dtype=torch.int64)
    for row, length in enumerate(lengths_B.tolist()):
        words = torch.randint(3, vocab_size, (length - 2,), generator=generator)
        tokens_BT[row, :length] = torch.cat([torch.tensor([BOS_ID]), words, torch.tensor([EOS_ID])])
    label_B = torch.randint(0, labels, (sentences,), generator=generator) if labels else None
    return Batch(tokens_BT, lengths_B, label_B, torch.arange(sentences))


def scramble(module: torch.nn.Module, seed: int = 0, scale: float = 0.5) -> torch.nn.Module:
    """Random weights of some size, so that no test passes because everything is near zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator).to(parameter.dtype))
    return module
