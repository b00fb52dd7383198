"""The lists over which contract tests and theorems run. They are the registries: a new component adds no line here."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar

import torch

from tests.tiny_backbone import tiny_backbone
from textvae.augmentations import AugmentationConfig, AugmentationSettings
from textvae.config import variants_of
from textvae.decoders import DecoderConfig, DecoderSettings
from textvae.encoders import Encoder, EncoderConfig, EncoderSettings, PretrainedEncoderConfig
from textvae.label_sums import LabelSumConfig, LabelSumSettings
from textvae.models import TextModel
from textvae.models.support import require_codes, require_density, require_floor
from textvae.objectives import ELBOConfig, ObjectiveConfig, ObjectiveSettings, SteinConfig
from textvae.posteriors import GaussianPosteriorConfig, PosteriorConfig, PosteriorSettings
from textvae.priors import MemoryPrior, Prior, PriorConfig, PriorSettings
from textvae.regularizers import RegularizerConfig, RegularizerSettings
from textvae.text.tokenizers import Tokenizer, WordConfig
from textvae.types import BOS_ID, EOS_ID, Batch

M = TypeVar("M", bound=Encoder | TextModel)

SMALL: dict[str, Any] = {"embedding_dim": 6, "hidden_dim": 5}
TINY_T: dict[str, Any] = {"model_dim": 8, "layers": 2, "heads": 2}

HAS_TRANSFORMERS = find_spec("transformers") is not None


def _encoders() -> dict[str, EncoderSettings]:
    """All variants; those that name a pretrained encoder get the folder of a tiny one."""
    found = variants_of(EncoderConfig, EncoderSettings)  # type: ignore[type-abstract]
    for name, config in list(found.items()):
        if isinstance(config, PretrainedEncoderConfig):
            del found[name]
            if HAS_TRANSFORMERS:
                found[name] = config.model_copy(update={"model": tiny_backbone()})
    return found


ENCODERS = _encoders()
DECODERS = variants_of(DecoderConfig, DecoderSettings)
LABEL_FORMS = ("lstm-both-2-layers", "lstm-cell-2-layers", "gru-both", "transformer-cross", "transformer-label-prefix")
"""Decoders that have a label each in another way."""
POSTERIORS = variants_of(PosteriorConfig, PosteriorSettings)
PRIORS = variants_of(PriorConfig, PriorSettings)
REGULARIZERS = variants_of(RegularizerConfig, RegularizerSettings)
AUGMENTATIONS = variants_of(AugmentationConfig, AugmentationSettings)
LABEL_SUMS = variants_of(LabelSumConfig, LabelSumSettings)
_OBJECTIVES = variants_of(ObjectiveConfig, ObjectiveSettings)
OBJECTIVES = {name: objective for name, objective in _OBJECTIVES.items() if not objective.for_implicit}
IMPLICIT_OBJECTIVES = {name: objective for name, objective in _OBJECTIVES.items() if objective.for_implicit}
"""Those of posteriors without a density."""

IMPLICIT = {name for name in POSTERIORS if not POSTERIORS[name].reparameterized}
"""Posteriors whose sample is no smooth function of noise and parameters (a sampler that rejects, and gradients that are
implicit): finite differences under common noise measure something else. Their own tests hold the quantile instead."""
EXTENDED = {name for name in POSTERIORS if POSTERIORS[name].extended}
"""Posteriors that move what `forward` gives, and whose densities carry auxiliary variables: a code alone has none, and
`forward` knows nothing of how it moves. Their own theorems are in tests/theorems/test_hamiltonian.py."""

WITHOUT_DENSITY = {name for name, config in POSTERIORS.items() if not config.has_density}
"""Posteriors with samples and no density: what is said of log q, of a KL or of the ELBO cannot be said of them."""


def fit(posterior: PosteriorSettings, prior: PriorSettings) -> bool:
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


def objective_beside(posterior: str) -> ObjectiveSettings:
    """The plain objective of a posterior."""
    return SteinConfig() if posterior in WITHOUT_DENSITY else ELBOConfig()


def _traits(settings: PosteriorSettings | PriorSettings, family: type) -> tuple[object, ...]:
    """What settings declare of themselves: all traits of their family's base, a number only by whether it is above its
    default."""
    values = [getattr(settings, name) for name, value in vars(family).items() if _is_trait(name, value)]
    return tuple(bool(value) if isinstance(value, float) else value for value in values)


def _is_trait(name: str, value: object) -> bool:
    return not name.startswith(("_", "model_")) and name != "title" and isinstance(value, bool | str | property)


def _crossed() -> list[tuple[str, str]]:
    """Each posterior with its plain prior, each prior with its plain posterior, and of posteriors and priors that
    declare the same one pair for all: what two parts do to each other shows in what they declare."""
    found = [(q, prior_beside(q)) for q in POSTERIORS] + [(posterior_beside(p), p) for p in PRIORS]
    met = {(_traits(POSTERIORS[q], PosteriorSettings), _traits(PRIORS[p], PriorSettings)) for q, p in found}
    for q, p in PAIRS:
        both = (_traits(POSTERIORS[q], PosteriorSettings), _traits(PRIORS[p], PriorSettings))
        if both not in met:
            met.add(both)
            found.append((q, p))
    return list(dict.fromkeys(found))


CROSSED = _crossed()
"""Pairs for what is built and run. Facts of settings alone are asked of all `PAIRS`, in one loop."""


def composed_prior(
    config: PriorSettings, latent_dim: int, feature_dim: int = 6, dtype: torch.dtype = torch.float32
) -> Prior:
    """A prior as a model composes it, beside a Gaussian posterior."""
    prior = config.build(latent_dim=latent_dim)
    posterior = GaussianPosteriorConfig().build(feature_dim=feature_dim, latent_dim=latent_dim)
    prior.compose(posterior.to(dtype), feature_dim=feature_dim)
    return remembering(prior.to(dtype))


def remembering(prior: Prior, sentences: int = 7, seed: int = 0) -> Prior:
    """Any prior; one with a memory of codes has some random ones in it."""
    if isinstance(prior, MemoryPrior):
        generator = torch.Generator().manual_seed(seed)
        prior.begin(sentences)
        prior.store(torch.arange(sentences), torch.randn(sentences, prior.codes_ND.shape[1], generator=generator))
    return prior


@cache
def eleven_words() -> Tokenizer:
    """A tokenizer of as many tokens as the models of most tests have."""
    return WordConfig(vocab_size=11).train(["one two three four five six seven"])


def reading(part: M) -> M:
    """A model or an encoder with that tokenizer, without which some encoders do not read."""
    part.tokenizer = eleven_words()
    return part


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
