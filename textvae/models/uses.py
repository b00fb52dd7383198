"""The uses of a trained model as methods of the model: generate, interpolate, impute, classify, score, reconstruct.

The work is done by the functions of `textvae.tasks`, which stand on a later rung of the ladder of imports: they are
functions of a model. A method looks its function up by name when it is called. `_task` does that, and is the only
place that looks up the ladder. A contract test holds every method to its function: the same parameters, the same
defaults, the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from textvae.generation import GivenDecoding
from textvae.results import Classification, Imputation, Interpolation, NewSentence, Reconstruction, Score
from textvae.text.given import GivenOverlong
from textvae.types import GivenRows


def _task(module: str, name: str) -> Callable[..., Any]:
    """A function of `textvae.tasks`."""
    return getattr(import_module(f"textvae.tasks.{module}"), name)


class Uses:
    """The methods that every model has; see `textvae.models.TextModel`. What a model cannot do raises a ModelError."""

    def generate(
        self,
        count: int,
        *,
        label: str | None = None,
        vectors: GivenRows | None = None,
        decoding: GivenDecoding | None = None,
        seed: int = 0,
    ) -> list[NewSentence]:
        """New sentences: z is drawn from the prior and decoded; see `textvae.tasks.generate_sentences`.

        Args:
            count: number of sentences; with vectors, the number for each vector.
            label: sentences for this label, one of `labels`.
            vectors: [N, H], for a prior that is conditioned on vectors, which needs them.
            decoding: settings, or a kind's name, or a table such as {"kind": "sample", "temperature": 0.8}; greedy when
                None.
            seed: the same seed gives the same sentences.

        Raises:
            ModelError: the model has no tokenizer, or a label or vectors were given to a model that takes none.
            ConfigError: `count` is negative, the model does not know the label, its prior needs vectors, or the
                decoding is not one, or allows longer sentences than the model was built for.
            DataError: the vectors do not have the size that the prior was trained on, or are not finite.
        """
        return _task("generate", "generate_sentences")(
            self, count, label=label, vectors=vectors, decoding=decoding, seed=seed
        )

    def markov_chain(
        self,
        texts: Iterable[str],
        steps: int,
        *,
        neighbors: bool = False,
        decoding: GivenDecoding | None = None,
        overlong: GivenOverlong = "error",
        seed: int = 0,
    ) -> list[list[str]]:
        """New sentences by a chain from each text: encode, draw z, decode, repeat; see `textvae.tasks.markov_chain`.

        Args:
            texts: the sentences at which the chains start.
            steps: steps of each chain.
            neighbors: draw z given a near training sentence, which a prior of kind nearest_neighbors stores.
            decoding: as of `generate`; sampling from the whole distribution when None.
            overlong: sentences longer than the model was trained for are refused ("error"), or cut as in training
                ("truncate").
            seed: the same seed gives the same sentences.

        Returns:
            The sentences after each step, for each chain.

        Raises:
            DataError: a sentence is empty, or too long.
            ModelError: the model has no z; or `neighbors` is set and its prior stores no training sentences.
            ConfigError: steps below 1 or above a million, or the decoding is not one.
        """
        return _task("markov_chain", "markov_chain")(
            self, texts, steps, neighbors=neighbors, decoding=decoding, overlong=overlong, seed=seed
        )

    def interpolate(
        self,
        start: str,
        end: str,
        *,
        steps: int = 7,
        kind: str | None = None,
        decoding: GivenDecoding | None = None,
        overlong: GivenOverlong = "error",
        seed: int = 0,
    ) -> Interpolation:
        """The path between two sentences through latent space; see `textvae.tasks.interpolate`.

        Args:
            start: the first sentence.
            end: the last sentence.
            steps: points on the path, both ends included, at most 10 000.
            kind: "linear" or "spherical"; None for spherical where codes are on a sphere, else linear.
            decoding: as of `generate`; greedy when None.
            overlong: sentences longer than the model was trained for are refused ("error"), or cut as in training
                ("truncate").
            seed: of decoding by sampling.

        Raises:
            DataError: a sentence is empty, or too long.
            ModelError: the model has no z.
            ConfigError: fewer than two steps or too many, an unknown kind, a straight line between codes on a sphere,
                or the decoding is not one.
        """
        return _task("interpolate", "interpolate")(
            self, start, end, steps=steps, kind=kind, decoding=decoding, overlong=overlong, seed=seed
        )

    def impute(
        self,
        texts: str | Iterable[str],
        *,
        rounds: int = 3,
        width: int = 5,
        expand: int = 4,
        answers: int = 5,
        samples: int = 32,
        max_span: int = 4,
        candidates: int | None = None,
        overlong: GivenOverlong = "error",
        seed: int = 0,
    ) -> list[Imputation]:
        """Fill the blanks of texts: `___` is one word, `___*` a span of tokens; see `textvae.tasks.impute`.

        Args:
            texts: texts with blanks.
            rounds: alternations between z and the blanks, at most; a language model needs one.
            width: hypotheses kept where a blank begins.
            expand: this many times `width` are kept while the words to the right of a blank are read.
            answers: returned for a text, at most.
            samples: draws of z for the ranking.
            max_span: longest filling of `___*`, in tokens.
            candidates: completions ranked; twice `answers`, and at least `width`, when None.
            overlong: texts longer than the model was trained for are refused ("error"), or cut as in training
                ("truncate").
            seed: the same seed gives the same probabilities.

        Raises:
            DataError: a text is empty, has no blank, is too long, or has a blank after the part that is kept.
            ModelError: the model has no tokenizer, or needs a label or a vector.
            ConfigError: a number is below 1, or above its limit, which bounds the memory.
        """
        return _task("impute", "impute")(
            self,
            texts,
            rounds=rounds,
            width=width,
            expand=expand,
            answers=answers,
            samples=samples,
            max_span=max_span,
            candidates=candidates,
            overlong=overlong,
            seed=seed,
        )

    def classify(
        self, texts: Iterable[str], *, confidence: float = 0.0, overlong: GivenOverlong = "error"
    ) -> list[Classification]:
        """The likeliest label of each sentence, and the probabilities of all; see `textvae.tasks.classify`.

        Args:
            texts: sentences.
            confidence: the least probability of a label, 0 to 1; where the likeliest one has less, the label is None.
            overlong: sentences longer than the model was trained for are refused ("error"), or cut as in training
                ("truncate"); their `text` stays as given.

        Raises:
            ModelError: the model has no classifier.
            DataError: a sentence is empty, or too long.
            ConfigError: `confidence` is no probability.
        """
        return _task("classify", "classify")(self, texts, confidence=confidence, overlong=overlong)

    def score(
        self,
        texts: Iterable[str],
        *,
        samples: int | None = None,
        overlong: GivenOverlong = "error",
        seed: int = 0,
    ) -> list[Score]:
        """Bounds on -log p(x) of each sentence, nats; see `textvae.tasks.score`.

        Args:
            texts: sentences.
            samples: K of the importance-weighted bound; None for the ELBO alone, by one sample.
            overlong: sentences longer than the model was trained for are refused ("error"), or cut as in training
                ("truncate"); their score is that of the part that was read, as a whole sentence.
            seed: of the samples.

        Raises:
            DataError: a sentence is empty, or too long.
            ModelError: the posterior has no density, so that there is no bound.
        """
        return _task("score", "score")(self, texts, samples=samples, overlong=overlong, seed=seed)

    def reconstruct(
        self,
        texts: Iterable[str],
        *,
        decoding: GivenDecoding | None = None,
        sample: bool = False,
        overlong: GivenOverlong = "error",
        seed: int = 0,
    ) -> list[Reconstruction]:
        """Encode each sentence and decode it again; see `textvae.tasks.reconstruct`.

        Args:
            texts: sentences.
            decoding: as of `generate`; greedy when None.
            sample: draw z from q(z|x) instead of taking its center.
            overlong: sentences longer than the model was trained for are refused ("error"), or cut as in training
                ("truncate"); `exact` is then about the part that was read.
            seed: of z, where it is drawn, and of decoding by sampling.

        Raises:
            DataError: a sentence is empty, or too long.
            ModelError: the model has no z.
            ConfigError: the decoding is not one.
        """
        return _task("reconstruct", "reconstruct")(
            self, texts, decoding=decoding, sample=sample, overlong=overlong, seed=seed
        )
