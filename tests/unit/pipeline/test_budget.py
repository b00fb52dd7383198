"""`textvae new` fits a run into the user's time: the same file, minutes and trial give the same recipe."""

from __future__ import annotations

import tomllib
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trial import TRIAL, trial_of
from tests.unit.text.looking import ROWS, prose, table
from textvae.pipeline import trial
from textvae.pipeline.budget import OVERHEAD, SIZES, Budgeted, epoch_steps, fit_to_budget
from textvae.pipeline.checking import checked_settings
from textvae.pipeline.new import new_recipe
from textvae.pipeline.plan import with_needs
from textvae.pipeline.proposal import Rates
from textvae.pipeline.recipe import Recipe
from textvae.pipeline.stages import STAGES
from textvae.text.inspect import FileReport, ProposedTokenizer, inspect_file, propose_tokenizer

WORDS = ["the", "a", "one", "old", "red", "big", "cat", "dog", "road", "house", "runs", "sleeps", "and", "or", "then"]

Files = dict[int, tuple[FileReport, ProposedTokenizer]]


def write_texts(path: Path, count: int, words: int = 9) -> Path:
    generator = np.random.default_rng(0)
    lines = (" ".join([*generator.choice(WORDS, words), str(number % 997)]) for number in range(count))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("files")
    found = {count: inspect_file(write_texts(folder / f"{count}.txt", count)) for count in (60, 2000, 8_000)}
    return {count: (report, propose_tokenizer(report.texts)) for count, report in found.items()}


def budget(
    files: dict[int, tuple[FileReport, ProposedTokenizer]], count: int, minutes: float, speed: float
) -> Budgeted:
    found, tokenizer = files[count]
    return fit_to_budget(found, tokenizer, trial_of(speed), minutes, STAGES)


@pytest.mark.parametrize("count", [60, 2000, 8_000])
@pytest.mark.parametrize("minutes", [1.0, 5.0, 60.0])
def test_the_stages_together_take_the_time_that_was_given(files: Any, count: int, minutes: float) -> None:
    made = budget(files, count, minutes, 20_000)
    took = OVERHEAD + sum(
        stage.seconds(made.proposal, made.tables[stage.name]) for stage in STAGES if stage.name in made.tables
    )
    assert took == pytest.approx(60 * minutes, rel=0.35 if minutes == 1 else 0.01)
    assert checked_settings(Recipe("x", "", 0, ("none", {}), made.tables), STAGES)
    train = made.tables["train"]
    assert train["epochs"] >= made.epochs * 0.9 or train["epochs"] == 2000


def test_more_time_is_never_fewer_epochs_of_a_smaller_model(files: Any) -> None:
    made = [budget(files, 8_000, minutes, 20_000) for minutes in (1.0, 3.0, 10.0, 30.0, 100.0)]
    hidden = [one.proposal.size.hidden for one in made]
    assert hidden == sorted(hidden) and len(set(hidden)) > 1
    by_size = {
        one.proposal.size.hidden: [m.epochs for m in made if m.proposal.size == one.proposal.size] for one in made
    }
    assert all(epochs == sorted(epochs) for epochs in by_size.values())


def test_too_little_time_is_said_with_what_would_do(files: Any) -> None:
    short = budget(files, 8_000, 1.0, 2_000)
    assert short.enough_minutes is not None and short.enough_minutes > 1.0
    assert budget(files, 8_000, float(short.enough_minutes), 2_000).enough_minutes is None
    assert budget(files, 8_000, 10.0, 200_000).enough_minutes is None


def test_a_few_texts_are_trained_until_they_are_learned(files: Any) -> None:
    made = budget(files, 60, 30.0, 20_000)
    table, steps = made.tables["train"], epoch_steps(made.proposal)
    assert table["epochs"] > 100 and table["batch_tokens"] == 256
    annealed = table["epochs"] * table["objective"]["kl_weight"]["end"]
    assert annealed * steps == pytest.approx(800, rel=0.01), "early stopping waits for the final KL weight"
    assert 100 <= table["early_stopping"] * steps < 100 + steps
    assert table["model"]["decoder"]["dropout"] > 0


@pytest.mark.parametrize("count", [2000, 8_000])
def test_more_texts_are_annealed_and_waited_for_by_the_epoch(files: Any, count: int) -> None:
    made = budget(files, count, 60.0, 20_000)
    table, steps = made.tables["train"], epoch_steps(made.proposal)
    annealed = table["epochs"] * table["objective"]["kl_weight"]["end"]
    assert annealed == pytest.approx(max(16, 800 / steps), rel=0.01)
    assert table["early_stopping"] == max(4, -(-100 // steps))


def test_few_steps_are_too_little_time_however_many_epochs_they_are(tmp_path: Path) -> None:
    """Sixty texts have a few batches an epoch: dozens of epochs do not anneal the KL."""
    file = write_texts(tmp_path / "few.txt", 60)
    _, notes = new_recipe(file, minutes=0.1, out=tmp_path, trial=TRIAL)
    assert any("too little time" in note for note in notes)
    assert any("60 different texts are few" in note and "6 test texts" in note for note in notes)
    path, notes = new_recipe(file, minutes=30.0, out=tmp_path, force=True, trial=TRIAL)
    assert not any("too little time" in note for note in notes)
    assert tomllib.loads(path.read_text())["train"]["epochs"] > 100


@pytest.mark.parametrize("sentences", [1, 40])
def test_new_says_that_most_of_each_text_is_not_read(tmp_path: Path, sentences: int) -> None:
    texts = ["".join(f"{prose(40 * row + n)} " for n in range(sentences)) for row in range(60)]
    (tmp_path / "in.csv").write_text(table(["id", "text"], list(enumerate(texts))))
    _, notes = new_recipe(tmp_path / "in.csv", minutes=1.0, out=tmp_path, trial=TRIAL)
    assert any("Most texts are longer than" in note for note in notes) is (sentences > 1)


def test_new_says_that_labels_are_spelled_in_several_ways(tmp_path: Path) -> None:
    spelled = ["Good", "good", "bad", "Bad", "so so", "so  so", "awful"]
    rows = [(text, spelled[n % 7]) for n, (text, _) in enumerate(ROWS)]
    (tmp_path / "in.csv").write_text(table(["text", "label"], rows))
    _, notes = new_recipe(tmp_path / "in.csv", minutes=1.0, out=tmp_path, trial=TRIAL)
    [told] = [note for note in notes if "capital letters" in note]
    assert all(repr(label) in told for label in spelled[:6]) and "awful" not in told
    (tmp_path / "in.csv").write_text(table(["text", "label"], ROWS))
    _, notes = new_recipe(tmp_path / "in.csv", minutes=1.0, out=tmp_path, force=True, trial=TRIAL)
    assert not any("capital letters" in note for note in notes)


def test_the_same_trial_gives_the_same_recipe(tmp_path: Path) -> None:
    file = write_texts(tmp_path / "some.txt", 500)
    made = []
    for name in ("one", "two"):
        path, notes = new_recipe(file, name="same", minutes=5.0, out=tmp_path / name, trial=TRIAL)
        made.append((path.read_text(), notes))
    assert made[0] == made[1]
    text, notes = made[0]
    assert text.splitlines()[1].startswith("# trial on cpu") and "5 minutes" in text.splitlines()[0]
    assert any("5 minutes" in note for note in notes)
    assert tomllib.loads(text)["train"]["epochs"] > 10


@pytest.mark.parametrize("largest", [0, 1, 2, 4])
@pytest.mark.parametrize("guess", ["right", "small", "large"])
def test_a_trial_times_the_largest_affordable_size_and_the_next(
    files: Any, monkeypatch: pytest.MonkeyPatch, largest: int, guess: str
) -> None:
    """However wrong the guess by the smallest size is."""
    found, tokenizer = files[2000]
    timed = 0

    def rates_of(model: Any, batches: Any) -> Rates:
        nonlocal timed
        timed += 1
        return Rates(1.0, 1.0, 1.0, 1.0)

    monkeypatch.setattr(trial, "_rates", rates_of)
    hidden = [size.hidden for size in SIZES]
    believed = {"right": largest, "small": 0, "large": len(SIZES) - 1}[guess]
    asked: list[int] = []

    def affordable(size: Any, rates: Any) -> bool:
        # The guesses come first, one for each size.
        asked.append(size.hidden)
        return hidden.index(size.hidden) <= (believed if len(asked) <= len(SIZES) else largest)

    rates = trial.measure(tokenizer, found.texts.sample, SIZES, batch_tokens=256, affordable=affordable).rates
    assert list(rates) == sorted(rates) and set(rates) <= set(hidden)
    assert {64, hidden[largest], *hidden[largest + 1 : largest + 2]} <= set(rates)
    assert len(rates) == timed and (guess != "right" or len(rates) <= 4)


def test_a_trial_measures_this_machine(files: Any) -> None:
    found, tokenizer = files[2000]
    made = trial.measure(
        tokenizer, found.texts.sample, SIZES[:1], batch_tokens=256, affordable=lambda size, rates: False
    )
    assert min(min(astuple(rates)) for rates in made.rates.values()) > 0 and made.encode > 0


def test_a_recipe_of_some_stages_has_their_tables_and_gives_them_the_time(tmp_path: Path) -> None:
    file = write_texts(tmp_path / "texts.txt", 8_000)
    tables = {}
    for name, stages in (("all", STAGES), ("some", with_needs(STAGES, "train"))):
        path, _ = new_recipe(file, name=name, minutes=3.0, out=tmp_path / name, trial=TRIAL, stages=stages)
        tables[name] = tomllib.loads(path.read_text(encoding="utf-8"))
    assert {name for name, table in tables["some"].items() if isinstance(table, dict)} == {"tokenize", "train"}
    assert "evaluate" in tables["all"]
    # Both plans have the smallest model, and the training of the shorter recipe more epochs.
    assert tables["some"]["train"]["model"]["latent_dim"] >= tables["all"]["train"]["model"]["latent_dim"]
    assert steps_of(tables["some"]) > steps_of(tables["all"])


def steps_of(tables: dict[str, Any]) -> float:
    """A measure of the work of a recipe's training."""
    train = tables["train"]
    return float(train["epochs"] * train["model"]["decoder"]["hidden_dim"])
