"""The contract of a model: its settings, terms for objectives, encoding and decoding of texts, saving to a folder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from textvae.config import Component
from textvae.decoders import Decoder, DecoderSettings
from textvae.distributions import LatentDistribution
from textvae.encoders import Encoder, EncoderSettings
from textvae.errors import ModelError
from textvae.generation import Decoding, GivenDecoding, checked_decoding, generate, inference
from textvae.models import hub, saving
from textvae.models.card import Traits
from textvae.models.given_codes import checked_codes, checked_labels
from textvae.models.uses import Uses
from textvae.posteriors import PosteriorSettings
from textvae.priors import MemoryPrior, PriorSettings
from textvae.text.batching import encode_texts
from textvae.text.given import GivenOverlong
from textvae.text.tokenizers import Tokenizer
from textvae.types import EUCLIDEAN, Batch, Context, GivenRows, LatentTerms, Support


class ModelSettings(Component):
    """The settings of a model, with the traits that other parts read before it is built.

    Attributes:
        has_code: whether a sentence has a code z.
        single_code: whether the decoder is conditioned on one vector z for each sentence and nothing else, such as a
            label.
        classifies: whether it predicts the label of a sentence. It then needs a corpus with labels.
        exact: whether log p(x) is computed exactly; otherwise only bounds are known.
    """

    has_code: ClassVar[bool] = True
    single_code: ClassVar[bool] = False
    classifies: ClassVar[bool] = False
    exact: ClassVar[bool] = False

    @property
    def posterior_settings(self) -> PosteriorSettings | None:
        """The settings of q(z|x); None for a model without a code."""
        return None

    @property
    def prior_settings(self) -> PriorSettings | None:
        """The settings of p(z); None for a model without a code."""
        return None

    @property
    def encoder_settings(self) -> EncoderSettings | None:
        """The settings of the encoder; None for a model without one."""
        return None

    @property
    @abstractmethod
    def decoder_settings(self) -> DecoderSettings:
        """The settings of the decoder."""

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
        """H if the prior is conditioned on vectors of that size; else 0.

        >>> from textvae.models import LanguageModelConfig, TextVAEConfig
        >>> conditional = TextVAEConfig.model_validate({"prior": {"kind": "conditional", "vector_dim": 5}})
        >>> [model.vector_size for model in (conditional, TextVAEConfig(), LanguageModelConfig())]
        [5, 0, 0]
        """
        return 0 if self.prior_settings is None else self.prior_settings.vector_size

    @property
    def has_density(self) -> bool:
        """Whether log q(z|x) can be computed; true for a model without a code, which does not need it."""
        return self.posterior_settings is None or self.posterior_settings.has_density

    @property
    def fixed_mean(self) -> bool:
        """Whether the posterior's mean is the same for every sentence, so that active units are 0 even if z is used."""
        return self.posterior_settings is not None and self.posterior_settings.fixed_mean

    def draws_labels(self, labels: int) -> bool:
        """Whether the sum over so many labels is estimated from some that are drawn.

        >>> from textvae.models import SemiSupervisedConfig, TextVAEConfig
        >>> SemiSupervisedConfig().draws_labels(3), SemiSupervisedConfig().draws_labels(99)
        (False, True)
        >>> TextVAEConfig().draws_labels(99)
        False
        """
        return False

    def with_files(self, files: Mapping[str, bytes]) -> ModelSettings:
        """These settings for a model whose weights are read afterwards, with the `own_files` of its encoder."""
        return self

    @abstractmethod
    def build(self, *, vocab_size: int, max_tokens: int, label_names: Sequence[str] = ()) -> TextModel:
        """Build the model with new parameters.

        Args:
            vocab_size: V.
            max_tokens: the longest sentence in tokens, EOS not counted.
            label_names: the classes of the corpus.
        """


class TextModel(Uses, nn.Module):
    """A probability model of sentences: the interface that evaluation, tasks and training use for all models.

    The methods of `Uses` put a trained model to work, beside `encode` and `decode`.

    A method that a model does not support raises a `ModelError`. Its properties and settings (`ModelSettings`) tell
    beforehand what it supports.

    Attributes:
        config: the settings from which it was built.
        decoder: log p(x|z); for a language model, z has no dimensions.
        vocab_size: V.
        max_tokens: the longest sentence in tokens, EOS not counted.
        label_names: the classes of the corpus, if the model uses them.
        card: the facts of the model card with which it was loaded, such as corpus and licence.
    """

    config: ModelSettings
    decoder: Decoder
    card: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self, config: ModelSettings, vocab_size: int, max_tokens: int, label_names: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.config, self.vocab_size, self.max_tokens = config, vocab_size, max_tokens
        self.label_names = tuple(label_names)
        self._tokenizer: Tokenizer | None = None

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The tokenizer of models that were trained or loaded from disk; needed for texts, not for tensors."""
        return self._tokenizer

    @tokenizer.setter
    def tokenizer(self, tokenizer: Tokenizer | None) -> None:
        self._tokenizer = tokenizer
        for encoder in self._encoders():
            encoder.tokenizer = tokenizer

    def _encoders(self) -> list[Encoder]:
        return [part for part in self.modules() if isinstance(part, Encoder)]

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
        """The space of codes."""
        posterior = self.config.posterior_settings
        return EUCLIDEAN if posterior is None else posterior.support

    @property
    def inference_parts(self) -> tuple[nn.Module, ...]:
        """The parts that make q(z|x) of a sentence; aggressive training updates them ahead of the others."""
        return ()

    @property
    def decodes_labels(self) -> bool:
        """Whether the decoder is conditioned on a label besides z, which has to be given or sampled."""
        return self.decoder.num_labels > 0

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels for which sentences can be generated: those on which the prior or the decoder is conditioned."""
        prior = self.config.prior_settings
        knows = self.decodes_labels or (prior is not None and prior.label_count > 0)
        return self.label_names if knows else ()

    @property
    def vector_size(self) -> int:
        """H if the prior is conditioned on a vector of that size for each sentence; else 0."""
        return self.config.vector_size

    @property
    def memory(self) -> MemoryPrior | None:
        """The prior, if it is one with a memory of the training sentences' codes; else None."""
        return None

    @property
    def num_parameters(self) -> int:
        """Number of trainable parameters, tied ones counted once."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        """All that objectives and bounds need about a batch, with `num_samples` samples of z for each sentence."""
        raise NotImplementedError

    def proxy_terms(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        """The terms with q(z|x) replaced by a Gaussian near it, for a model whose posterior has no density."""
        raise self._unable("has no proxy terms, which are for posteriors without a density")

    def posterior_of(self, batch: Batch) -> LatentDistribution:
        """q(z|x), batch shape [B]."""
        raise self._unable("has no code")

    def prior_of(self, batch: Batch) -> LatentDistribution:
        """p(z) of these sentences, batch shape [], or [B] if the prior is conditioned on something of each sentence."""
        raise self._unable("has no code")

    def prior_given(self, context: Context | None = None) -> LatentDistribution:
        """p(z) given a label, given a vector, or (without a context) given nothing."""
        raise self._unable("has no code")

    def code_of(self, batch: Batch) -> Tensor:
        """The code of each sentence that a prior's memory stores, [B, D], detached."""
        raise self._unable("keeps no memory of codes")

    def label_log_prob(self, batch: Batch) -> Tensor:
        """log q(y|x), nats, [B, C]."""
        raise self._unable("has no classifier")

    @property
    def label_log_prior_C(self) -> Tensor:
        """log p(y), nats, [C], for a model whose decoder is conditioned on a label."""
        raise self._unable("has no decoder that is conditioned on a label")

    def _unable(self, why: str) -> ModelError:
        return ModelError(f"a '{self.config.kind}' model {why}; use another kind of model.")

    def forward(self, batch: Batch, num_samples: int = 1) -> LatentTerms:
        """The same as `terms`; wrappers for distributed training call `forward`."""
        return self.terms(batch, num_samples)

    def set_label_prior(self, counts_C: Tensor) -> None:
        """Set p(y) from the number of training sentences of each label, [C]; does nothing in a model without p(y)."""

    def require_tokenizer(self) -> Tokenizer:
        """The tokenizer.

        Raises:
            ModelError: the model has none, because it was built from its settings only.
        """
        if self.tokenizer is None:
            raise ModelError("this model has no tokenizer, so it can take no text; load it with from_pretrained.")
        return self.tokenizer

    def limited(self, decoding: GivenDecoding | None) -> Decoding:
        """The decoding settings with defaults filled in: greedy, and at most as long as the training sentences.

        Raises:
            ConfigError: `decoding` is not a decoding's settings, kind or table.
        """
        settings = checked_decoding(decoding)
        return settings if settings.max_tokens else settings.model_copy(update={"max_tokens": self.max_tokens})

    def encode(self, texts: Iterable[str], *, overlong: GivenOverlong = "error") -> Float[Tensor, "B D"]:
        """Encode texts: the center of each sentence's posterior, [B, D] (`LatentDistribution.center`).

        It is the posterior mean; on a sphere the mean direction; for a flow or a Hamiltonian posterior the image of
        the mean of the initial Gaussian.

        Args:
            texts: the sentences.
            overlong: sentences longer than the model was trained for are refused ("error"), or cut as in training
                ("truncate").

        Raises:
            DataError: there is no sentence, or one of them is empty, not a string, or too long.
        """
        batch = encode_texts(texts, self.require_tokenizer(), self.max_tokens, overlong=overlong)
        with inference(self):
            return self.posterior_of(batch.to(self.device)).center

    def predict(self, texts: Iterable[str], *, overlong: GivenOverlong = "error") -> Float[Tensor, "B C"]:
        """q(y|x) of each sentence: probabilities of the labels in the order of `label_names`.

        Args:
            texts: the sentences.
            overlong: as of `encode`.

        Raises:
            ModelError: the model has no classifier.
            DataError: no sentences, something among them that is no string, an empty one, or one that is too long.
        """
        batch = encode_texts(texts, self.require_tokenizer(), self.max_tokens, overlong=overlong)
        with inference(self):
            return self.label_log_prob(batch.to(self.device)).exp()

    def decode(
        self,
        z_ND: GivenRows,
        decoding: GivenDecoding | None = None,
        context: Context | None = None,
        generator: torch.Generator | None = None,
    ) -> list[str]:
        """Decode codes: one sentence for each, by greedy decoding as a default; see `Tokenizer.show`.

        Args:
            z_ND: codes, [N, D]: a tensor on any device, an array, or lists of numbers.
            decoding: as of `generate`; greedy if None.
            context: a label for each code, for a decoder conditioned on labels.
            generator: the random generator of decodings that sample.

        Raises:
            DataError: the codes are not N rows of D finite numbers, or the decoder needs labels and does not get one
                for each code.
            ConfigError: `decoding` is not a decoding, or allows longer sentences than the decoder supports.
        """
        tokenizer = self.require_tokenizer()
        settings = self.limited(decoding)
        codes_ND = checked_codes(z_ND, self.latent_dim, next(self.parameters()))
        labeled = checked_labels(context, len(codes_ND), self.decoder.num_labels, self.device)
        made = generate(self.decoder, codes_ND, settings, context=labeled, generator=generator)
        return tokenizer.show_batch(made.tokens)

    def save_pretrained(self, folder: str | Path, card: dict[str, Any] | None = None) -> None:
        """Save the model as a folder: config.json, model.safetensors, the tokenizer, README.md, and an encoder's files.

        Args:
            folder: the folder, new or with an older model; other files in it are left alone.
            card: facts for the model card README.md, such as corpus and licence: JSON values by name; those with which
                the model was loaded when None.

        Raises:
            ModelError: a file that textvae did not write has one of these names, or a weight is not finite.
            ConfigError: another process is saving there and does not finish.
            MachineError: the disk is full or broken.
        """
        saving.save(self._contents(card), Path(folder))

    def push_to_hub(
        self,
        name: str,
        *,
        private: bool = False,
        token: str | None = None,
        commit_message: str = "Upload a textvae model",
        card: dict[str, Any] | None = None,
    ) -> str:
        """Upload the model to the Hugging Face hub, from where `from_pretrained(name)` loads it.

        The repository is created if there is none. A model card there that somebody wrote or changed stays as it is.

        Args:
            name: `owner/model`.
            private: whether only its owner may see it; a repository that is public already is refused.
            token: of an account that may write there; the one that `hf auth login` saved when None.
            commit_message: the title of the commit.
            card: as of `save_pretrained`.

        Returns:
            the address of the model's page.

        Raises:
            ModelError: the hub does not take the name or the token, or a weight is not finite.
            MachineError: the hub cannot be reached, or the disk is full or broken.
        """
        contents = self._contents(card)
        return hub.push(contents, name, private=private, token=token, commit_message=commit_message)

    def _contents(self, card: dict[str, Any] | None) -> saving.Contents:
        """What is saved of this model."""
        return saving.Contents(
            module=self,
            config=self.config,
            vocab_size=self.vocab_size,
            max_tokens=self.max_tokens,
            label_names=self.label_names,
            tokenizer=self.tokenizer,
            encoder_files={name: data for part in self._encoders() for name, data in part.own_files().items()},
            num_parameters=self.num_parameters,
            card=dict(self.card if card is None else card),
            traits=Traits(self.config.has_code, self.config.classifies, needs_vectors=self.vector_size > 0),
        )
