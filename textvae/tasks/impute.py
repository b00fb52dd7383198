"""Fill the blanks of sentences, and measure the accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from textvae.arguments import checked_count, checked_seed
from textvae.config import MAX_BEAM, MAX_PARTS, MAX_STEPS
from textvae.errors import ConfigError, DataError
from textvae.generation import Slot
from textvae.generation.template import BLANK, template_of, word_blank
from textvae.models import TextModel
from textvae.results import Answer, Imputation
from textvae.tasks.iterated_modes import Completed, iterated_modes
from textvae.tasks.sentences import require_free_prior, require_unlabeled
from textvae.text.given import GivenOverlong, checked_texts
from textvae.text.tokenizers.base import Tokenizer
from textvae.types import UNK_ID

MAX_SPAN = 4
"""Tokens of the longest filling of `___*`, if nothing else is asked for."""
_COUNTED_SENTENCES = 50_000
"""Training sentences in which the most frequent word is counted, evenly spread over the corpus."""


def impute(
    model: TextModel,
    texts: str | Iterable[str],
    *,
    rounds: int = 3,
    width: int = 5,
    expand: int = 4,
    answers: int = 5,
    samples: int = 32,
    max_span: int = MAX_SPAN,
    candidates: int | None = None,
    overlong: GivenOverlong = "error",
    seed: int = 0,
    places: Sequence[int] | None = None,
) -> list[Imputation]:
    """Fill the blanks of texts: `___` is one word, `___*` a span of one to `max_span` tokens.

    With a word tokenizer a word is one token that stands after a space (punctuation too); with a sub-word tokenizer
    it is a piece that starts a word and the pieces within it. z and the blanks are found by iterated conditional
    modes (see `iterated_modes`). The completions of all rounds are ranked by an importance-weighted estimate of the
    probability of the whole sentence; all completions of a text share the same `samples` draws of z.
    Probabilities are normalized over the `candidates` that are ranked. `<unk>` is never an answer.

    Args:
        model: a TextVAE or a LanguageModel with its tokenizer.
        texts: texts with blanks.
        rounds: alternations between z and the blanks, at most; a language model needs one.
        width: hypotheses kept where a blank begins.
        expand: this many times `width` are kept while the words to the right of a blank are read.
        answers: returned for a text, at most.
        samples: draws of z for the ranking.
        max_span: longest filling of `___*`, in tokens.
        candidates: completions ranked; twice `answers`, and at least `width`, when None.
        overlong: texts longer than the model was trained for are refused ("error"), or cut as in training
            ("truncate"). Answers are the whole text with its blanks filled, their probabilities those of the part that
            was read.
        seed: the same seed gives the same probabilities, whatever the other texts are.
        places: the number of each text, to which its draws belong, such as its row in a file; its place among the
            texts when None.

    Raises:
        DataError: a text is empty, has no blank, is too long, or has a blank after the part that is kept.
        ModelError: the model has no tokenizer, or needs a label or a vector.
        ConfigError: a number is below 1, or above its limit (1000 answers or hypotheses), which bounds the memory.
    """
    texts = checked_texts([texts] if isinstance(texts, str) else texts, "text")
    seed = checked_seed(seed)
    answers = checked_count(answers, "answers", 1, MAX_BEAM)
    candidates = max(2 * answers, width) if candidates is None else candidates
    _require_search(
        width=width, rounds=rounds, expand=expand, samples=samples, max_span=max_span, candidates=candidates
    )
    require_unlabeled(model, "impute")
    require_free_prior(model, "impute")
    tokenizer, max_span = model.require_tokenizer(), min(max_span, model.max_tokens)
    templates = []
    for number, text in enumerate(texts, start=1):
        try:
            fitted = template_of(text, tokenizer, max_tokens=model.max_tokens, max_span=max_span, overlong=overlong)
        except DataError as error:
            raise DataError(f"Text {number}: {error}" if len(texts) > 1 else str(error)) from None
        templates.append(fitted.slots)
    found = iterated_modes(
        model,
        templates,
        rounds=rounds,
        width=width,
        expand=expand,
        candidates=candidates,
        samples=samples,
        seed=seed,
        places=np.arange(len(texts)) if places is None else np.asarray(places, dtype=np.int64),
    )
    bound = "exact" if model.config.exact else f"iw-{samples}"
    made = []
    for text, completed in zip(texts, found, strict=True):
        ranked = []
        for completion in completed.completions[:answers]:
            fillers = tuple(text.strip() for text in tokenizer.decode_batch(completion.fillers))
            ranked.append(Answer(_filled(text, fillers), fillers, completion.log_prob, completion.probability))
        made.append(Imputation(text, tuple(ranked), bound, tuple(completed.trace)))
    return made


def _require_search(*, width: int, expand: int, **numbers: int) -> None:
    """Refuse numbers of a search that are below 1, or above the limits that bound its memory."""
    checked_count(width, "width", 1, MAX_BEAM)
    for name, number in {"expand": expand, **numbers}.items():
        checked_count(number, name, 1, MAX_PARTS)
    if width * expand > MAX_PARTS:
        raise ConfigError(
            f"width * expand is {width * expand}, expected at most {MAX_PARTS} hypotheses of a sentence; lower one of "
            "them."
        )


def _filled(text: str, fillers: Iterable[str]) -> str:
    """The given text with fillers in its blanks; words outside the vocabulary stay as they are written."""
    words = iter(fillers)
    return BLANK.sub(lambda _: next(words), text)


@dataclass(frozen=True)
class HiddenWord:
    """One trial of the accuracy measurement.

    Attributes:
        text: the sentence with a blank for the hidden word, as by `Tokenizer.show`.
        truth: the hidden word; ``[unknown word]`` where it is not in the vocabulary.
        answer: the model's first answer.
        correct: whether the answer is the hidden word.
        probability: the model's probability of its answer, normalized over the ranked answers.
    """

    text: str
    truth: str
    answer: str
    correct: bool
    probability: float


@dataclass(frozen=True)
class ImputationAccuracy:
    """Accuracy of restoring hidden words.

    Attributes:
        accuracy: share of hidden words that the first answer restores exactly.
        top5: share of hidden words among the first five answers.
        baseline_accuracy: the accuracy of always answering `baseline_word`.
        baseline_word: the most frequent word of the training text.
        sentences: number of sentences; one word is hidden in each.
        unknown_words: number of hidden words outside the vocabulary. Unless they were excluded they count as
            errors, for the model and for the baseline.
        examples: some trials, for reports.
    """

    accuracy: float
    top5: float
    baseline_accuracy: float
    baseline_word: str
    sentences: int
    unknown_words: int
    examples: tuple[HiddenWord, ...]


@runtime_checkable
class Tokenized(Protocol):
    """Tokenized sentences, such as a `TokenizedCorpus`."""

    def __len__(self) -> int: ...

    def ids(self, i: int) -> np.ndarray: ...


class _Encoded:
    """Texts as tokenized sentences; each is encoded when `ids` is called."""

    def __init__(self, texts: Sequence[str], tokenizer: Tokenizer) -> None:
        self.texts, self.tokenizer = texts, tokenizer

    def __len__(self) -> int:
        return len(self.texts)

    def ids(self, i: int) -> np.ndarray:
        return np.array(self.tokenizer.encode(self.texts[i]), dtype=np.int64)


def impute_accuracy(
    model: TextModel,
    test: Tokenized | Iterable[str],
    train: Tokenized | Iterable[str],
    *,
    sentences: int = 500,
    rounds: int = 3,
    width: int = 5,
    expand: int = 4,
    samples: int = 8,
    examples: int = 12,
    exclude_unknown: bool = False,
    seed: int = 0,
) -> ImputationAccuracy:
    """Hide one random word in each of many sentences, and count how many are restored exactly.

    Args:
        model: a TextVAE or a LanguageModel with its tokenizer.
        test: a TokenizedCorpus or texts; sentences that are empty or too long are skipped.
        train: a TokenizedCorpus or texts, for the baseline's most frequent word.
        sentences: number of sentences, drawn without replacement; all where there are fewer.
        rounds: as in `impute`; so are `width`, `expand` and `samples` (five answers are ranked).
        examples: trials returned in full.
        exclude_unknown: never hide a word outside the vocabulary. By default such words are hidden like any other and
            count as errors, because a small vocabulary is a property of the model. Punctuation is never hidden.
        seed: of the sentences, of the hidden words and of the ranking.

    Raises:
        DataError: no sentence has a word that can be hidden.
        ModelError: the model has no tokenizer, or needs a label or a vector.
    """
    require_unlabeled(model, "impute")
    require_free_prior(model, "impute")
    seed = checked_seed(seed)
    sentences = checked_count(sentences, "sentences", 1, MAX_STEPS)
    _require_search(width=width, rounds=rounds, expand=expand, samples=samples)
    tokenizer = model.require_tokenizer()
    measured, training = (
        corpus if isinstance(corpus, Tokenized) else _Encoded(checked_texts(corpus), tokenizer)
        for corpus in (test, train)
    )
    rng = np.random.default_rng(seed)
    blank = word_blank(tokenizer)
    words_of = _WordFinder(tokenizer)

    templates: list[list[Slot]] = []
    hidden: list[tuple[int, ...]] = []
    for number in rng.permutation(len(measured)).tolist():
        row = measured.ids(number).tolist()
        if not 1 <= len(row) <= model.max_tokens:
            continue
        words = words_of(row)
        if exclude_unknown:
            words = [(a, b) for a, b in words if UNK_ID not in row[a:b]]
        if not words:
            continue
        begin, end = words[int(rng.integers(len(words)))]
        templates.append([*row[:begin], blank, *row[end:]])
        hidden.append(tuple(row[begin:end]))
        if len(templates) == sentences:
            break
    if not templates:
        raise DataError("No test sentence can have a word hidden; give sentences with at least one known word.")

    found = iterated_modes(
        model, templates, rounds=rounds, width=width, expand=expand, candidates=5, samples=samples, seed=seed
    )
    common = _most_frequent_word(training, words_of)
    trials, correct, top5 = [], 0, 0
    for number, (template, word, completed) in enumerate(zip(templates, hidden, found, strict=True)):
        # An unknown word is `<unk>` in the corpus, which is never an answer.
        known = UNK_ID not in word
        ranked = [completion.fillers[0] for completion in completed.completions]
        right = known and ranked[:1] == [word]
        correct += right
        top5 += known and word in ranked
        if number < examples:
            trials.append(_trial(tokenizer, template, word, completed, right))
    count = len(templates)
    return ImputationAccuracy(
        accuracy=correct / count,
        top5=top5 / count,
        baseline_accuracy=sum(word == common for word in hidden) / count,
        baseline_word=tokenizer.decode(common).strip(),
        sentences=count,
        unknown_words=sum(UNK_ID in word for word in hidden),
        examples=tuple(trials),
    )


def _trial(
    tokenizer: Tokenizer, template: Sequence[Slot], word: tuple[int, ...], completed: Completed, right: bool
) -> HiddenWord:
    before = [slot for slot in template[: _gap(template)] if isinstance(slot, int)]
    after = [slot for slot in template[_gap(template) + 1 :] if isinstance(slot, int)]
    text = " ".join(part for part in (tokenizer.show(before).strip(), "___", tokenizer.show(after).strip()) if part)
    first = completed.completions[0] if completed.completions else None
    return HiddenWord(
        text=text,
        truth=tokenizer.show(word).strip(),
        answer=tokenizer.decode(first.fillers[0]).strip() if first else "",
        correct=right,
        probability=first.probability if first else 0.0,
    )


def _gap(template: Sequence[Slot]) -> int:
    return next(i for i, slot in enumerate(template) if not isinstance(slot, int))


class _WordFinder:
    """Finds start and end of each word in a sentence. Punctuation is not counted as a word: it is too easy to restore.

    Args:
        tokenizer: a word is one token that stands after a space (no clitic such as "n't"), or a piece that starts a
            word and the pieces that follow.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.starts_word, self.splits = tokenizer.starts_word, tokenizer.splits_words
        spelled = (tokenizer.token(token) for token in range(tokenizer.vocab_size))
        self.has_letters = np.array([any(letter.isalnum() for letter in token) for token in spelled])

    def __call__(self, row: Sequence[int]) -> list[tuple[int, int]]:
        begins = [i for i, token in enumerate(row) if self.starts_word[token] or (token == UNK_ID and not self.splits)]
        spans = zip(begins, [*begins[1:], len(row)] if self.splits else (i + 1 for i in begins), strict=True)
        return [(a, b) for a, b in spans if self.has_letters[list(row[a:b])].any()]


def _most_frequent_word(corpus: Tokenized, words_of: _WordFinder) -> tuple[int, ...]:
    """The most frequent word of the vocabulary; among equally frequent words the one with the lowest ids."""
    counts: Counter[tuple[int, ...]] = Counter()
    step = max(1, len(corpus) // _COUNTED_SENTENCES)
    for i in range(0, len(corpus), step):
        row = corpus.ids(i).tolist()
        counts.update(tuple(row[a:b]) for a, b in words_of(row))
    known = [word for word in counts if UNK_ID not in word]
    if not known:
        raise DataError("The training text has no known word; give the corpus the model was trained on.")
    return min(known, key=lambda word: (-counts[word], word))
