"""The contract of a model: what its settings tell of it, terms for objectives, texts in and out, a folder on disk."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from textvae.arguments import shown
from textvae.config import Component
from textvae.decoders import Decoder, DecoderSettings
from textvae.distributions import LatentDistribution
from textvae.encoders import EncoderSettings
from textvae.errors import ConfigError, DataError, ModelError
from textvae.generation import Decoding, GreedyConfig, generate, inference
from textvae.models import saving
from textvae.posteriors import PosteriorSettings
from textvae.priors import MemoryPrior, PriorSettings
from textvae.text.batching import encode_texts
from textvae.text.tokenizers import Tokenizer
from textvae.types import EUCLIDEAN, Batch, Context, LatentTerms, Support


class ModelSettings(Component):
    """The settings of a model, and what they tell of it.

    Attributes:
        has_code: whether a sentence has a code z.
        single_code: whether that code, one vector a sentence, is all that its words are made from, without a label
            beside it.
        classifies: whether it tells the label of a sentence. It then needs a corpus with labels.
        exact: whether log p(x) is known exactly, rather than bounded.
    """

    has_code: ClassVar[bool] = True
    single_code: ClassVar[bool] = False
    classifies: ClassVar[bool] = False
    exact: ClassVar[bool] = False

    @property
    def posterior_settings(self) -> PosteriorSettings | None:
        """Those of q(z|x); None for a model without a code."""
        return None

    @property
    def prior_settings(self) -> PriorSettings | None:
        """Those of p(z); None for a model without a code."""
        return None

    @property
    def encoder_settings(self) -> EncoderSettings | None:
        """Those of the encoder; None for a model without one."""
        return None

    @property
    @abstractmethod
    def decoder_settings(self) -> DecoderSettings:
        """Those of the decoder."""

    @property
    def beside_code(self) -> bool:
        """Whether words are made from a label, or something else, beside a code."""
        return self.has_code and not self.single_code

    @property
    def code_title(self) -> str:
        """How messages name what codes come from."""
        return f"{self.kind} model" if self.posterior_settings is None else f"{self.posterior_settings.kind} posterior"

    @property
    def vector_size(self) -> int:
        """H, where the prior is conditioned on vectors of that size; else 0.

        >>> from textvae.models import LanguageModelConfig, TextVAEConfig
        >>> conditional = TextVAEConfig.model_validate({"prior": {"kind": "conditional", "vector_dim": 5}})
        >>> [model.vector_size for model in (conditional, TextVAEConfig(), LanguageModelConfig())]
        [5, 0, 0]
        """
        return 0 if self.prior_settings is None else self.prior_settings.vector_size

    @property
    def has_density(self) -> bool:
        """Whether codes can be scored; a model without any has nothing to score."""
        return self.posterior_settings is None or self.posterior_settings.has_density

    @property
    def fixed_mean(self) -> bool:
        """Whether the posterior's mean is the same for every sentence, so that no unit is active however z is used."""
        return self.posterior_settings is not None and self.posterior_settings.fixed_mean

    @abstractmethod
    def build(self, *, vocab_size: int, max_tokens: int, label_names: Sequence[str] = ()) -> TextModel:
        """The model, with fresh parameters.

        Args:
            vocab_size: V.
            max_tokens: longest sentence, EOS not counted.
            label_names: the classes of the corpus.
        """


class TextModel(nn.Module):
    """A probability model of sentences: what bounds, tasks and training may ask of any model.

    A model that cannot do what a method asks says so (`ModelError`); what it can do is told beforehand by its
    properties and by its settings (`ModelSettings`).

    Attributes:
        config: what it was built from.
        sizes: the numbers that came from the corpus: vocab_size, max_tokens, label_names.
        tokenizer: set on models that came from disk or from training; needed for texts, not for tensors.
    """

    config: ModelSettings
    decoder: Decoder
    tokenizer: Tokenizer | None = None

    def __init__(
        self, config: ModelSettings, vocab_size: int, max_tokens: int, label_names: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.config, self.vocab_size, self.max_tokens = config, vocab_size, max_tokens
        self.label_names = tuple(label_names)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def latent_dim(self) -> int:
        return self.decoder.latent_dim

    @property
    def has_code(self) -> bool:
        """Whether a sentence has a code z."""
        return self.latent_dim > 0

    @property
    def support(self) -> Support:
        """Where codes live."""
        posterior = self.config.posterior_settings
        return EUCLIDEAN if posterior is None else posterior.support

    @property
    def decodes_labels(self) -> bool:
        """Whether words are made from a label beside z, which has to be given or drawn."""
        return self.decoder.num_labels > 0

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that sentences can be written for: those of which the prior or the decoder knows."""
        prior = self.config.prior_settings
        knows = self.decodes_labels or (prior is not None and prior.label_count > 0)
        return self.label_names if knows else ()

    @property
    def vector_size(self) -> int:
        """H, where the prior is conditioned on a vector of that size for each sentence; else 0."""
        return self.config.vector_size

    @property
    def memory(self) -> MemoryPrior | None:
        """The prior, where it keeps a memory of the training sentences' codes."""
        return None

    @property
    def num_parameters(self) -> int:
        """Trainable numbers, tied ones counted once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        """All that objectives and bounds need of a batch."""
        raise NotImplementedError

    def proxy_terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        """The terms of a density near q(z|x), for a model whose posterior has none."""
        raise self._unable("has no density beside its posterior")

    def posterior_of(self, batch: Batch) -> LatentDistribution:
        """q(z|x), batch shape [B]."""
        raise self._unable("has no code")

    def prior_of(self, batch: Batch) -> LatentDistribution:
        """p(z) of sentences, batch shape [], or [B] where the prior is conditioned on something of the sentence."""
        raise self._unable("has no code")

    def prior_given(self, context: Context | None = None) -> LatentDistribution:
        """p(z) where this much is known of a sentence, and no more: nothing, its label, or its vector."""
        raise self._unable("has no code")

    def code_of(self, batch: Batch) -> Tensor:
        """By what a prior's memory knows a sentence, [B, D], no gradient."""
        raise self._unable("keeps no memory of codes")

    def label_log_prob(self, batch: Batch) -> Tensor:
        """log q(y|x), nats, [B, C]."""
        raise self._unable("has no classifier")

    @property
    def label_log_prior_C(self) -> Tensor:
        """log p(y), nats, where words are made from a label."""
        raise self._unable("makes no words from a label")

    def _unable(self, why: str) -> ModelError:
        return ModelError(f"a '{self.config.kind}' model {why}; use another kind of model.")

    def forward(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        """The same as `terms`: what wrappers for several processes call."""
        return self.terms(batch, num_samples)

    def set_label_prior(self, counts_C: Tensor) -> None:
        """p(y) from how often each label was seen in training; a model without labels has none to set."""

    def require_tokenizer(self) -> Tokenizer:
        """The model's tokenizer.

        Raises:
            ModelError: it has none.
        """
        if self.tokenizer is None:
            raise ModelError("this model has no tokenizer, so it can take no text; load it with from_pretrained.")
        return self.tokenizer

    def limited(self, decoding: Decoding | None) -> Decoding:
        """Greedy by default, and no longer than the sentences the model was trained on.

        Raises:
            ConfigError: `decoding` is no settings of one.
        """
        decoding = GreedyConfig() if decoding is None else decoding
        if not isinstance(decoding, Decoding):
            raise ConfigError(
                f"decoding is {shown(decoding)}; expected settings such as textvae.generation.BeamConfig(width=5)."
            )
        return decoding if decoding.max_tokens else decoding.model_copy(update={"max_tokens": self.max_tokens})

    def encode(self, texts: Iterable[str]) -> Float[Tensor, "B D"]:
        """Text to latent: the posterior mean of each sentence, or what stands for it (`LatentDistribution.center`).

        On a sphere that is the mean direction, of a flow, or of a code that was moved, the image of its base's mean.

        Raises:
            DataError: no sentences, something among them that is no string, an empty one, or one longer than the model
                was trained for.
        """
        batch = encode_texts(texts, self.require_tokenizer(), self.max_tokens)
        with inference(self):
            return self.posterior_of(batch.to(self.device)).center

    def predict(self, texts: Iterable[str]) -> Float[Tensor, "B C"]:
        """q(y|x) of each sentence: probabilities of the labels in the order of `label_names`.

        Raises:
            ModelError: the model has no classifier.
            DataError: no sentences, something among them that is no string, an empty one, or one longer than the model
                was trained for.
        """
        batch = encode_texts(texts, self.require_tokenizer(), self.max_tokens)
        with inference(self):
            return self.label_log_prob(batch.to(self.device)).exp()

    def decode(
        self,
        z_ND: Tensor | np.ndarray | Sequence[Any],
        decoding: Decoding | None = None,
        context: Context | None = None,
        generator: torch.Generator | None = None,
    ) -> list[str]:
        """Latent to text: one sentence for each code, the likeliest by default.

        Args:
            z_ND: codes, [N, D]: a tensor on any device, an array, or lists of numbers.
            decoding: greedy when None.
            context: labels, for a model conditioned on them.
            generator: for decodings that draw.

        Raises:
            DataError: the codes are not N rows of D finite numbers, or have not a label each where they need one.
            ConfigError: `decoding` is no settings of one, or asks for longer sentences than the model can say.
        """
        tokenizer = self.require_tokenizer()
        decoding, codes_ND = self.limited(decoding), self._codes(z_ND)
        labeled = self._labels(context, len(codes_ND))
        made = generate(self.decoder, codes_ND, decoding, context=labeled, generator=generator)
        return tokenizer.decode_batch(made.tokens)

    def _codes(self, codes: Any) -> Tensor:
        """Codes that someone gave, [N, D], in the model's own numbers where the model lives."""
        expected = f"expected N rows of {self.latent_dim} finite numbers"
        try:
            if isinstance(codes, list | tuple) and codes and all(isinstance(row, Tensor) for row in codes):
                codes = torch.stack(list(codes))
            given = codes if isinstance(codes, Tensor) else np.asarray(codes)
            if isinstance(given, np.ndarray):
                if given.dtype.kind not in "fiu":
                    raise TypeError
                given = torch.from_numpy(np.ascontiguousarray(given, dtype=np.float64))
            if given.is_complex() or given.dtype == torch.bool:
                raise TypeError
            weight = next(self.parameters())
            found = given.detach().to(weight.device, weight.dtype).contiguous()
        except (TypeError, ValueError, RuntimeError):
            raise DataError(f"the codes are {shown(codes)}; {expected}.") from None
        if found.shape == (0,):
            found = found.reshape(0, self.latent_dim)
        if found.dim() == 1 and len(found) == self.latent_dim:
            raise DataError(f"got one code of {len(found)} numbers; {expected}; write [z], or z[None].")
        if found.dim() != 2 or found.shape[1] != self.latent_dim:
            raise DataError(f"the codes have shape {tuple(found.shape)}; {expected}.")
        if not bool(found.isfinite().all()):
            raise DataError(f"the codes hold NaN, an infinity or a number too large for {found.dtype}; {expected}.")
        return found

    def _labels(self, context: Context | None, count: int) -> Context | None:
        """What codes are conditioned on, where the model lives; a label of the model's for each, where it has any."""
        labels = self.decoder.num_labels
        label_B = None if context is None else context.label_B
        if not labels:
            return context
        if context is None or label_B is None or label_B.shape != (count,):
            got = "none" if label_B is None else f"labels of shape {tuple(label_B.shape)}"
            raise DataError(
                f"this model writes for a label, and {count} codes came with {got}; give context=Context(label_B=...) "
                "with a label for each."
            )
        if count and not 0 <= int(label_B.min()) <= int(label_B.max()) < labels:
            raise DataError(f"the labels of codes are places in label_names; expected 0 to {labels - 1}.")
        return context.to(self.device)

    def save_pretrained(self, folder: str | Path, card: dict[str, Any] | None = None) -> None:
        """Write the model as a folder: config.json, model.safetensors, tokenizer, README.md."""
        saving.save(
            saving.Contents(
                module=self,
                config=self.config,
                vocab_size=self.vocab_size,
                max_tokens=self.max_tokens,
                label_names=self.label_names,
                tokenizer=self.tokenizer,
                num_parameters=self.num_parameters,
                card=card or {},
            ),
            Path(folder),
        )
