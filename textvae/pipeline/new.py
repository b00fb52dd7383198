"""`textvae new FILE`: writes a recipe and a corpus card for a user's text."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textvae.arguments import checked_minutes, shown
from textvae.disk import new_folder, not_ours, shown_path, write_text
from textvae.errors import ConfigError, DataError
from textvae.pipeline.naming import problem_of_name
from textvae.pipeline.new_card import corpus_card, file_notes
from textvae.pipeline.proposal import Proposal, Size
from textvae.pipeline.stages import STAGES

if TYPE_CHECKING:
    from textvae.text.inspect import FileReport, ProposedTokenizer

TRAINING_EFFICIENCY = 0.5
"""Share of the matrix-product speed that training is expected to reach (`benchmarks/speed.py` measures it). The value
is low, so that the time budget is kept on a machine that is busy with other programs too."""


SIZES = (Size(64, 64, 16), Size(128, 96, 24), Size(192, 128, 24), Size(256, 256, 32), Size(512, 256, 32))
MIN_EPOCHS, WANTED_EPOCHS, MAX_EPOCHS = 3, 12, 40
MIN_VOCABULARY = 4000
MIN_TEXTS = 20

_CARD_COMMENT, _RECIPE_COMMENT = "The corpus card of", "Made by `textvae new"
"""First words of the files that `new` writes, by which it recognizes them."""


def new_recipe(
    file: str | Path,
    *,
    name: str | None = None,
    minutes: float = 10.0,
    out: str | Path = Path(),
    force: bool = False,
    text: str | int | None = None,
    label: str | int | None = None,
    split: str | int | None = None,
    delimiter: str | None = None,
    no_label: Sequence[str] = (),
    operations_per_second: float | None = None,
) -> tuple[Path, list[str]]:
    """Analyze a file of texts and write `NAME.toml` and its card `NAME_corpus.toml`, ready for `textvae run`.

    Args:
        file: text, CSV, TSV or JSON; gzip too.
        name: of the recipe; the file's by default.
        minutes: about how long training may take.
        out: the folder to write to.
        force: overwrite a recipe and a card that this function wrote; other files are never overwritten.
        text: the column of the text, by its name, its position from 0, or its dotted path in JSON; found when None.
        label: the column of the labels, likewise; ``none`` for no labels.
        split: the column that says which split a row belongs to, likewise; ``none`` for a division by `new`.
        delimiter: the character between cells, or ``tab``; found when None.
        no_label: values of the label column that mean no label.
        operations_per_second: of this machine; measured when None.

    Returns:
        the recipe's path, and sentences about what was found in the file and chosen for it.

    Raises:
        DataError: the file cannot be used.
        ConfigError: a file to be written exists already, or the time is not positive.
    """
    from textvae.text.inspect import Wanted, inspect_file, propose_tokenizer

    minutes = checked_minutes(minutes, "--minutes")
    found = inspect_file(file, wanted=Wanted(text, label, split, delimiter, tuple(no_label)))
    name = _plain(name if name is not None else Path(str(file).removesuffix(".gz")).stem)
    folder = Path(out)
    recipe_path = folder / f"{name}.toml"
    card_path = card_beside(recipe_path)
    require_free(recipe_path, force)
    # A card without a recipe was left by an earlier call that stopped between writing the two.
    require_free(card_path, force or not os.path.lexists(recipe_path))
    require_texts(found.texts.distinct, str(file))
    speed = operations_per_second or measure_operations_per_second()
    tokenizer = affordable_vocabulary(found, propose_tokenizer(found.texts), minutes, speed)
    size, epochs = choose_size(found, tokenizer, minutes, speed)
    proposal = Proposal(found, tokenizer, size, epochs)
    if not os.path.lexists(folder):
        new_folder(folder, "recipes")
    card, recipe = corpus_card(found, name), _recipe(proposal, name, card_path.stem)
    write_text(card_path, to_toml(card, f"{_CARD_COMMENT} {name}: where the text is."))
    write_text(recipe_path, to_toml(recipe, f"{_RECIPE_COMMENT} {shown_path(found.path.name)}`."))
    return recipe_path, _notes(proposal, minutes)


def card_beside(recipe: Path) -> Path:
    """The corpus card that `new` writes beside a recipe."""
    return recipe.with_name(f"{recipe.stem}_corpus.toml")


def require_free(path: Path, force: bool) -> None:
    """Refuse to write over an existing file, unless `new` wrote it and `force` is set.

    Raises:
        ConfigError: `new` did not write the file, or `force` is not set.
    """
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_file() or not _is_ours(path):
        raise not_ours(path)
    if not force:
        raise ConfigError(f"{path} exists; choose another --name or --out, or overwrite it with --force.")


def _is_ours(path: Path) -> bool:
    """Whether `new` wrote a file, by its first line."""
    with path.open("rb") as stream:
        beginning = stream.read(200)
    return beginning.startswith((f"# {_CARD_COMMENT}".encode(), f"# {_RECIPE_COMMENT}".encode()))


def require_texts(distinct: int, where: str) -> None:
    """Refuse texts too few to be split into training, validation and test; duplicates are always in the same split.

    Args:
        distinct: number of different texts.
        where: their file or other origin, for the message.

    Raises:
        DataError: fewer than `MIN_TEXTS`.
    """
    if distinct < MIN_TEXTS:
        different = "1 different text" if distinct == 1 else f"{distinct} different texts"
        raise DataError(
            f"{where} has {different}; a model needs at least {MIN_TEXTS}, and some thousands for good results."
        )


def choose_size(
    found: FileReport, tokenizer: ProposedTokenizer, minutes: float, operations_per_second: float
) -> tuple[Size, int]:
    """The largest model for which enough epochs fit into the time budget, and the number of epochs.

    Args:
        found: the file; nine tenths of it are training texts.
        tokenizer: for its texts.
        minutes: the time budget.
        operations_per_second: of the machine.
    """
    tokens = _training_tokens(found, tokenizer)
    # A model that is large for its corpus memorizes it.
    fitting = [size for size in SIZES if size.hidden <= 128 or tokens > 400 * size.hidden]

    def epochs_of(size: Size) -> float:
        return _epochs(found, tokenizer, size, minutes, operations_per_second)

    affordable = [size for size in fitting if epochs_of(size) >= WANTED_EPOCHS]
    size = affordable[-1] if affordable else SIZES[0]
    return size, int(min(MAX_EPOCHS, max(MIN_EPOCHS, epochs_of(size))))


def affordable_vocabulary(
    found: FileReport, tokenizer: ProposedTokenizer, minutes: float, operations_per_second: float
) -> ProposedTokenizer:
    """A smaller vocabulary, where not even the smallest model gets enough epochs in the time budget.

    The projection to the vocabulary is most of a small model's work, and rare words are learned last. Half the
    vocabulary allows about twice the epochs.
    """
    while (
        tokenizer.vocab_size >= 2 * MIN_VOCABULARY
        and _epochs(found, tokenizer, SIZES[0], minutes, operations_per_second) < WANTED_EPOCHS
    ):
        tokenizer = replace(tokenizer, settings={**tokenizer.settings, "vocab_size": tokenizer.vocab_size // 2})
    return tokenizer


def _training_tokens(found: FileReport, tokenizer: ProposedTokenizer) -> float:
    return 0.9 * found.texts.count * (tokenizer.tokens_per_text + 1)


def _epochs(
    found: FileReport, tokenizer: ProposedTokenizer, size: Size, minutes: float, operations_per_second: float
) -> float:
    """The epochs of a model of this size in the time budget."""
    operations = minutes * 60 * operations_per_second * TRAINING_EFFICIENCY
    return operations / (_training_tokens(found, tokenizer) * size.flops_per_token(tokenizer.vocab_size))


def measure_operations_per_second(seconds: float = 0.5) -> float:
    """Measures the float32 operations per second of a matrix product of sizes that are typical of training."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    a, b = torch.randn(1024, 256, device=device), torch.randn(256, 4096, device=device)
    (a @ b).sum().item()
    repeats, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        (a @ b)[0, 0].item()  # waits for the device
        repeats += 1
    return repeats * 2.0 * 1024 * 256 * 4096 / (time.perf_counter() - began)


def _recipe(proposal: Proposal, name: str, card: str) -> dict[str, Any]:
    """The recipe's tables, one from each stage. Those of stages that need labels come last."""
    recipe: dict[str, Any] = {"name": name, "corpus": card, "seed": 0}
    for stage in sorted(STAGES, key=lambda stage: stage.needs_labels):
        table = stage.new_table(proposal)
        if table is not None:
            recipe[stage.name] = table
    return recipe


def _notes(proposal: Proposal, minutes: float) -> list[str]:
    """Sentences about what was found in the file and chosen for it."""
    size, tokenizer = proposal.size, proposal.tokenizer
    first, *rest = file_notes(proposal)
    notes = [
        first,
        f"Tokenizer {tokenizer.settings['kind']}, vocabulary {tokenizer.vocab_size:,}; texts of more than "
        f"{tokenizer.max_tokens} tokens are cut off.",
        *rest,
    ]
    time = "a minute" if minutes == 1 else f"{minutes:g} minutes"
    notes.append(
        f"LSTM {size.hidden}, z {size.latent}, {proposal.epochs} epochs: about {time} or less on this machine."
    )
    return notes


def _plain(name: str) -> str:
    plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in name).strip("_")
    if (problem := problem_of_name(plain)) is not None:
        raise ConfigError(f"--name got {shown(name)}, but {problem}; give a name of letters and digits.")
    return plain


def to_toml(table: Mapping[str, Any], comment: str) -> str:
    """Nested tables as TOML: plain values first, then tables; a table inside a table is written inline.

    >>> print(to_toml({"a": 1, "b": {"c": "x", "d": {"e": [1.5]}}}, "An example."))
    # An example.
    a = 1
    <BLANKLINE>
    [b]
    c = "x"
    d = { e = [1.5] }
    <BLANKLINE>
    """
    return "\n".join([f"# {comment}", *_lines(table, "")]) + "\n"


def _lines(table: Mapping[str, Any], prefix: str) -> list[str]:
    def inline(value: Any) -> bool:
        return not isinstance(value, Mapping) or (
            bool(prefix) and not any(isinstance(v, Mapping) for v in value.values())
        )

    lines = [f"{_key(key)} = {_value(value)}" for key, value in table.items() if inline(value)]
    for key, value in table.items():
        if not inline(value):
            path = f"{prefix}{_key(key)}"
            lines += ["", f"[{path}]", *_lines(value, path + ".")]
    return lines


def _key(key: str) -> str:
    return key if key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    # Without ensure_ascii=False JSON would write surrogate pairs, which TOML does not allow.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
