"""The stage `tokenize`: trains the tokenizer on the training split, and writes every split as token ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, create_model

from textvae.config import MAX_TOKENS, Config
from textvae.errors import ConfigError
from textvae.pipeline.manifest import as_json
from textvae.pipeline.metric import Metric
from textvae.pipeline.proposal import Proposal
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.section import Section
from textvae.pipeline.stage import Stage, Work

FACTS = """
{% for split in ("train", "valid", "test") if results[split] is defined %}
{% set counts = results[split] %}
<dt>{{ {"train": "Training", "valid": "Validation", "test": "Test"}[split] }}</dt>
<dd>{{ "{:,}".format(counts.sentences) }} sentences, {{ "{:,}".format(counts.tokens) }} tokens
{%- if counts.unknown_tokens %}, {{ "{:.1%}".format(counts.unknown_tokens / counts.tokens) }} unknown{% endif %}
{%- if counts.empty %}, {{ "{:,}".format(counts.empty) }} empty left out{% endif %}
{%- if counts.overlong %}, {{ "{:,}".format(counts.overlong) }} longer than max_tokens{% endif %}
{%- if counts.unknown_labels | default(0) %}, {{ counts.unknown_labels }} with labels that training has not{% endif %}
</dd>
{% endfor %}
{% for warning in results.warnings | default([]) %}
<dt>Warning</dt><dd>{{ warning }}</dd>
{% endfor %}
{% if results.tokenizer is defined %}
<dt>Tokens</dt><dd>{{ results.tokenizer }}, vocabulary {{ "{:,}".format(results.vocab_size) }}</dd>
{% endif %}
"""
"""The splits and the tokenizer, among the facts of the run."""


MANY_UNKNOWN = 0.5
"""Share of unknown tokens in the validation or test split from which on the stage warns."""


class _TokenizeSettings(Config):
    """Settings of the stage. `config_type` adds the tokenizer, because its types are imported there.

    Attributes:
        max_tokens: longest sentence in tokens, BOS and EOS not counted.
        overlong: treatment of longer sentences: "truncate" cuts them off, "window" divides them into several,
            "error" refuses them.
    """

    max_tokens: int = Field(50, ge=1, le=MAX_TOKENS)
    overlong: Literal["truncate", "window", "error"] = "truncate"


class TokenizeStage(Stage):
    """Output: `tokenizer/`, and `train.arrow`, `valid.arrow`, `test.arrow`."""

    name: ClassVar[str] = "tokenize"
    title: ClassVar[str] = "Text"
    version: ClassVar[int] = 2  # splits by class, sentences cut after full stops of every script
    keeps: ClassVar[tuple[int, ...]] = (1,)
    reads_corpus: ClassVar[bool] = True
    uses_seed: ClassVar[bool] = False
    metrics: ClassVar[Sequence[Metric]] = (
        Metric(
            "vocab_size", "Vocabulary", "tokens", "different words or pieces, special tokens counted", 0, shown=False
        ),
    )
    sections: ClassVar[Sequence[Section]] = (Section(FACTS, area="facts"),)

    def files(self) -> tuple[str, ...]:
        from textvae.text.corpora.base import SPLITS
        from textvae.text.tokenizers import FILES

        return (*(f"tokenizer/{name}" for name in FILES), *(f"{split}.arrow" for split in SPLITS))

    def config_type(self) -> type[Config]:
        from textvae.text.tokenizers import TokenizerConfig, WordConfig

        return create_model(
            "TokenizeConfig",
            __base__=_TokenizeSettings,
            tokenizer=(TokenizerConfig, Field(default_factory=WordConfig)),
        )

    def check(self, recipe: Recipe) -> None:
        missing = [split for split in ("train", "valid") if split not in recipe.corpus.splits]
        if missing:
            raise ConfigError(
                f"corpus '{recipe.corpus.name}' has no {' and no '.join(missing)} split; "
                "add split_fractions = {train = 0.9, valid = 0.05, test = 0.05} to its card."
            )

    def new_table(self, proposal: Proposal) -> dict[str, Any]:
        tokenizer = proposal.tokenizer
        return {"max_tokens": tokenizer.max_tokens, "overlong": "truncate", "tokenizer": dict(tokenizer.settings)}

    def seconds(self, proposal: Proposal, table: Mapping[str, Any]) -> float:
        # The tokenizer reads the training texts to learn from them, then all texts; each split reads the whole file.
        return 1.0 + 2 * proposal.characters / proposal.encode + 3e-5 * proposal.texts

    def run(self, work: Work) -> dict[str, Any]:
        from textvae.text.corpora import ReadReport, texts_of
        from textvae.text.corpora.base import SPLITS
        from textvae.text.tokenized import write_tokenized

        corpus = work.recipe.corpus
        tokenizer = work.config.tokenizer.train(texts_of(corpus.read("train")))
        tokenizer.save(work.folder / "tokenizer")
        labels = (corpus.label_names() if corpus.has_labels else []) or None
        results: dict[str, Any] = {"vocab_size": tokenizer.vocab_size, "tokenizer": tokenizer.kind}
        warnings = []
        if labels is not None:
            results["label_names"] = list(labels)
        elif corpus.has_labels:
            warnings.append(
                "no training text has a label, so the run goes on without labels; look at the label_column of the card."
            )
        for split in (split for split in SPLITS if split in corpus.splits):
            left_out = ReadReport()
            written = write_tokenized(
                work.folder / f"{split}.arrow",
                corpus.read(split, left_out),
                tokenizer,
                max_tokens=work.config.max_tokens,
                overlong=work.config.overlong,
                label_names=labels,
            )
            counts = {**as_json(written), "too_short": left_out.too_short, "too_long": left_out.too_long}
            results[split] = counts
            work.say(f"  {split}: {_in_words(counts)}")
            warnings += _warnings(split, counts)
        for warning in warnings:
            work.say(f"  warning: {warning}")
        return {**results, "warnings": warnings} if warnings else results


def _warnings(split: str, counts: dict[str, Any]) -> list[str]:
    """What is wrong with a split that has been written, each in a sentence with the cure."""
    found = []
    if split != "train" and counts["unknown_tokens"] > MANY_UNKNOWN * counts["tokens"]:
        found.append(
            f"{counts['unknown_tokens'] / counts['tokens']:.0%} of the {split} tokens are unknown, so the model cannot "
            'say what these texts are; use a tokenizer of pieces, such as tokenize.tokenizer.kind = "sentencepiece".'
        )
    if number := counts["unknown_labels"]:
        rows = "1 text has a label" if number == 1 else f"{number:,} texts have labels"
        found.append(
            f"{split}: {rows} that no training text has; {'it counts' if number == 1 else 'they count'} as unlabelled."
        )
    return found


def _in_words(counts: dict[str, Any]) -> str:
    told = [f"{counts['sentences']:,} sentences, {counts['tokens']:,} tokens"]
    if counts["unknown_tokens"]:
        told.append(f"{counts['unknown_tokens'] / max(counts['tokens'], 1):.1%} unknown")
    names = {
        "empty": "empty left out",
        "overlong": "longer than max_tokens",
        "unknown_labels": "with labels that training has not",
        "too_short": "below min_words left out",
        "too_long": "above max_words left out",
    }
    told += [f"{counts[name]:,} {words}" for name, words in names.items() if counts.get(name)]
    return ", ".join(told)


STAGE = TokenizeStage()
