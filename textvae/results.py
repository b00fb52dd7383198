"""What the uses of a trained model return: data without logic.

They stand here, and not beside the functions of `textvae.tasks` that make them, because the methods of a model return
them too.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NewSentence:
    """A generated sentence.

    Attributes:
        text: the sentence, as by `Tokenizer.show`.
        log_prob: log p(x|z) (log p(x) of a language model, log p(x|y, z) of a semi-supervised model), nats, EOS
            included where finished.
        finished: False where the sentence was cut at the length limit.
        label: the given label or, for a semi-supervised model without one, the label that was drawn; None where no
            label was used.
    """

    text: str
    log_prob: float
    finished: bool
    label: str | None = None


@dataclass(frozen=True)
class Interpolation:
    """A path from one sentence to another.

    Attributes:
        start: the first sentence as given.
        end: the last sentence as given.
        kind: "linear" or "spherical".
        texts: the decoded sentences on the path, those of both ends included, [steps].
        z: their latent vectors, [steps][D].
        edits: tokens inserted, deleted or replaced from each sentence to the next, [steps - 1].
        evenness: how evenly the change is spread over the steps: 1 for equal steps, 0 where the path changes in one
            jump (`textvae.tasks.interpolate.evenness`). None where nothing changes, or for a path of one step.
        ends_changed: share of tokens by which the decoded ends differ from the given sentences, mean of both: edits
            over the tokens of the longer one. 0 where both come back.
        new_sentences: number of different sentences on the path that are neither a decoded end nor a given one.
    """

    start: str
    end: str
    kind: str
    texts: tuple[str, ...]
    z: tuple[tuple[float, ...], ...]
    edits: tuple[int, ...]
    evenness: float | None
    ends_changed: float
    new_sentences: int


@dataclass(frozen=True)
class Answer:
    """One way to fill the blanks of a text.

    Attributes:
        text: the text with the fillers in place of its blanks.
        fillers: one for each blank, in order.
        log_prob: log p of the whole sentence, nats, EOS included, by the bound that `Imputation.bound` names.
        probability: share of exp(log_prob) among the ranked completions, not among all possible ones.
    """

    text: str
    fillers: tuple[str, ...]
    log_prob: float
    probability: float


@dataclass(frozen=True)
class Imputation:
    """Ranked answers for one text.

    Attributes:
        text: the text with its blanks, as given.
        answers: best first.
        bound: what `log_prob` is: "exact" (a language model) or "iw-K", the importance-weighted estimate with
            K samples.
        trace: log p(x, z) after each round, nats.
    """

    text: str
    answers: tuple[Answer, ...]
    bound: str
    trace: tuple[float, ...]


@dataclass(frozen=True)
class Classification:
    """A sentence's label, and the probabilities of all labels.

    Attributes:
        text: the given sentence.
        label: the likeliest one; None where it is less probable than was asked for.
        probability: q(y|x) of the likeliest label.
        probabilities: of all labels.
    """

    text: str
    label: str | None
    probability: float
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Reconstruction:
    """A sentence and its reconstruction.

    Attributes:
        text: the given sentence.
        reconstruction: the sentence decoded from its code, as by `Tokenizer.show`.
        exact: whether all tokens are the same.
        log_prob: log p(reconstruction|z), nats.
    """

    text: str
    reconstruction: str
    exact: bool
    log_prob: float


@dataclass(frozen=True)
class Score:
    """How probable a sentence is, by upper bounds on -log p(x), nats; of a language model the exact -log p(x).

    Attributes:
        text: the given sentence.
        tokens: predicted tokens, EOS counted: a perplexity is exp(nats / tokens).
        elbo_nll: minus the ELBO, by as many samples of z as were asked for, one by default. The KL is exact where it
            has a closed form.
        iw_nll: minus the importance-weighted bound; None unless samples were asked for.
    """

    text: str
    tokens: int
    elbo_nll: float
    iw_nll: float | None
