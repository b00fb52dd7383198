"""Whatever lies at and around the paths that textvae writes, every file of a user stays as it is, byte for byte.

Layouts are drawn at random: files, folders and links with the names that textvae gives, beside and inside of runs and
models of ours, finished, interrupted or from before folders had markers. Whatever is then called may succeed or refuse
with a TextVAEError; nothing that a user put there may have changed. Inside of a folder that bears our marker a plain
file with a name of ours is ours, damaged or not, so none is put there.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st

from tests.tiny_corpus import write_tiny
from tests.trial import TRIAL
from tests.unit.pipeline import fakes
from tests.unit.training.helpers import LABELS, config, sentences, write_corpora
from textvae import pipeline
from textvae.disk import LOCK, MARKER
from textvae.errors import TextVAEError
from textvae.models import TextVAE, TextVAEConfig
from textvae.pipeline.new import new_recipe
from textvae.pipeline.recipe import Recipe
from textvae.text.corpora.base import Example
from textvae.text.tokenized import write_tokenized
from textvae.text.tokenizers import BPEConfig, WordConfig
from textvae.training import train

OUT = "out"
STAGES = ("tokenize", "train", "evaluate")
NAMES = sorted(
    {
        *(OUT, "out.old", "out.new", "out.tmp", "out.partial", "beside.txt", MARKER, LOCK, ".lock"),
        *(
            f"{OUT}/{name}"
            for name in (MARKER, LOCK, ".lock", "notes.txt", ".textvae.next", ".textvae.next/config.json")
        ),
        *(f"{OUT}/{name}" for name in ("recipe.json", "report.json", "report.html", "metrics.jsonl", "result.json")),
        *(f"{OUT}/{stage}{end}" for stage in STAGES for end in ("", ".partial", ".old", ".new", ".tmp")),
        *(f"{OUT}/{stage}{end}/notes.txt" for stage in STAGES for end in ("", ".partial")),
        *(f"{OUT}/{stage}{end}/{MARKER}" for stage in STAGES for end in ("", ".partial")),
        *(f"{OUT}/train/{name}" for name in ("data.txt", "manifest.json", "model", "model/config.json", "model/mine")),
        *(
            f"{OUT}/train.partial/{name}"
            for name in ("begun.json", "checkpoints", "checkpoints/notes.txt", "model/mine")
        ),
        *(f"{OUT}/{name}" for name in ("config.json", "model.safetensors", "README.md", "model", "model/config.json")),
        *(f"{OUT}/{name}" for name in ("tokenizer", "tokenizer.json", "merges.json", "tokenizer/tokenizer.json")),
        *(f"{OUT}/checkpoints{end}" for end in ("", "/step-00000001-epoch-0001", "/step-00000001-epoch-0001/state.pt")),
        *(f"{OUT}/checkpoints/{name}" for name in ("notes.txt", "step-00000001-epoch-0001.tmp/mine")),
        *(
            f"{OUT}/{name}"
            for name in ("texts.jsonl", "fit.toml", "fit_corpus.toml", "run", "run/train", "run/report.html")
        ),
        *(f"{OUT}/{name}" for name in ("mine.toml", "mine_corpus.toml", "split.arrow")),
        *("runs", "runs/fit", "runs/fit/texts.jsonl", "runs/fit-2", "mine.toml", "mine_corpus.toml"),
    }
)
CONTENTS = [
    b"",
    b"my own text\n",
    b"{}",
    b"[",
    b'{"format": "textvae-folder"}',
    b'{"format_version": 1, "model": {"kind": "x"}}',
    b'{"kind": "word"}',
    b'{"name": "soup", "corpus": "onions"}',
    b'{"run": 3}',
    b"<!doctype html><title>mine</title>",
    b"# Mine\na = 1\n",
    b"# Mine, for 1 minutes.\n",
    b'{"text": "mine"}\n',
    b"\x00\xff\x00",
]
KINDS = (
    "file",
    "folder",
    "folder with a file",
    "link to a file",
    "link to a folder",
    "link to nothing",
    "link to itself",
)

entries = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(KINDS), st.sampled_from(CONTENTS)), min_size=1, max_size=5
)


class User:
    """Puts files, folders and links of a user below a folder, and tells whether they are as they were."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.put: dict[Path, tuple[str, Any]] = {}
        outside = home / "elsewhere"
        outside.mkdir()
        (outside / "letter.txt").write_bytes(b"a letter\n")
        for path in (outside, outside / "letter.txt"):
            self._remember(path)

    def add(self, name: str, kind: str, content: bytes) -> None:
        """One more, where there is nothing and no link leads to; a name of ours in a folder of ours stays ours."""
        path = self.home / name
        if os.path.lexists(path) or (kind in ("file", "folder with a file") and _is_ours_by_name(path)):
            return
        for above in reversed(path.relative_to(self.home).parents):
            place = self.home / above
            if place.is_symlink() or (os.path.lexists(place) and not place.is_dir()):
                return
            if not place.exists():
                place.mkdir()
                self._remember(place)
        if kind == "file":
            path.write_bytes(content)
        elif kind.startswith("folder"):
            path.mkdir()
            if kind != "folder":
                (path / "kept.txt").write_bytes(content)
                self._remember(path / "kept.txt")
        else:
            targets = {"a file": "elsewhere/letter.txt", "a folder": "elsewhere", "nothing": "nowhere", "itself": name}
            path.symlink_to(self.home / targets[kind.removeprefix("link to ")])
        self._remember(path)

    def _remember(self, path: Path) -> None:
        self.put[path] = _state(path)

    def changes(self) -> list[str]:
        return [str(path.relative_to(self.home)) for path, state in self.put.items() if _state(path) != state]


def _is_ours_by_name(path: Path) -> bool:
    return any((above / MARKER).is_file() for above in path.parents) and path.name not in (
        "notes.txt",
        "mine",
        "data.txt",
    )


def _state(path: Path) -> tuple[str, Any]:
    if path.is_symlink():
        return "link", str(path.readlink())
    if path.is_dir():
        return "folder", None
    if path.is_file():
        return "file", path.read_bytes()
    return "nothing", None


TOKENIZER = WordConfig(vocab_size=60).train(sentences(100, 0))


def _model(seed: int = 0) -> TextVAE:
    torch.manual_seed(seed)
    part = {"kind": "gru", "embedding_dim": 2, "hidden_dim": 2}
    settings = TextVAEConfig.model_validate({"latent_dim": 2, "encoder": part, "decoder": part})
    model = settings.build(vocab_size=TOKENIZER.vocab_size, max_tokens=9)
    model.tokenizer = TOKENIZER
    return model


def _run(home: Path, **options: Any) -> None:
    with chdir(home):
        fakes.run_fakes(home, **options)


def _fit(home: Path, out: Path | None) -> None:
    """With the pipeline replaced by one that writes a model in no time."""

    def run(recipe: Recipe, folder: Path, **settings: Any) -> None:
        fakes.run_fakes(home / "elsewhere_else", out=folder)
        # The fakes' model is none; what fit returns is read from here.
        shutil.rmtree(folder / "train" / "model")
        _model().save_pretrained(folder / "train" / "model")

    with chdir(home), pytest.MonkeyPatch.context() as patch:
        patch.setattr("textvae.pipeline.runner.run_recipe", run)
        patch.setattr("textvae.pipeline.trial.measure", lambda *given, **settings: TRIAL)
        pipeline.fit(sentences(60, 1), minutes=1.0, out=out)


def _new(home: Path, out: Path, force: bool) -> None:
    with chdir(home):
        new_recipe(home / "mine.txt", minutes=1.0, out=out, force=force, trial=TRIAL)


def _train(home: Path) -> None:
    corpora = write_corpora(home / "corpora", train=12, valid=6)
    torch.manual_seed(0)
    part = {"kind": "gru", "embedding_dim": 2, "hidden_dim": 2}
    model = {"kind": "text_vae", "latent_dim": 2, "encoder": part, "decoder": part}
    settings = config(epochs=1, max_steps=1, guard_sentences=0, model=model)
    train(settings, corpora[0], corpora[1], home / OUT, seed=0, tokenizer=corpora[2], label_names=LABELS)


ACTIONS: dict[str, Callable[[Path], object]] = {
    "run": lambda home: _run(home),
    "run --force": lambda home: _run(home, force=True),
    "run --only": lambda home: _run(home, only="train"),
    "run with other settings": lambda home: fakes.run_fakes(home, {"train.epochs": 4}),
    "run --dry-run": lambda home: _run(home, dry_run=True),
    "save a model": lambda home: _model(1).save_pretrained(home / OUT),
    "save a tokenizer": lambda home: TOKENIZER.save(home / OUT),
    "save a tokenizer of another kind": lambda home: BPEConfig(vocab_size=60).train(["a b"] * 9).save(home / OUT),
    "write a corpus": lambda home: write_tokenized(
        home / OUT / "split.arrow", [Example("the cat sees")], TOKENIZER, max_tokens=9
    ),
    "train": _train,
    "new": lambda home: _new(home, home, False),
    "new --force": lambda home: _new(home, home, True),
    "new --out": lambda home: _new(home, home / OUT, True),
    "fit": lambda home: _fit(home, None),
    "fit(out)": lambda home: _fit(home, home / OUT),
}


def _finished_run(home: Path) -> None:
    fakes.run_fakes(home)


def _interrupted_run(home: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setenv("FAIL_AT", "train 2")
        fakes.run_fakes(home)


def _legacy(make: Callable[[Path], None]) -> Callable[[Path], None]:
    """As an earlier version left it: without markers, with its own lock."""

    def made(home: Path) -> None:
        make(home)
        for name in (MARKER, LOCK):
            for path in (home / OUT).rglob(name):
                path.unlink()
        (home / OUT / ".lock").touch()

    return made


BEFORE: dict[str, Callable[[Path], None]] = {
    "nothing": lambda home: None,
    "a finished run": _finished_run,
    "an interrupted run": _interrupted_run,
    "a finished run of before": _legacy(_finished_run),
    "an interrupted run of before": _legacy(_interrupted_run),
    "a model": lambda home: _model().save_pretrained(home / OUT),
    "a model of before": _legacy(lambda home: _model().save_pretrained(home / OUT)),
    "a training": lambda home: _train(home),
    "a fit": lambda home: _fit(home, home / OUT),
}


@pytest.fixture(scope="module")
def befores() -> Iterator[dict[str, Path]]:
    """Each state that is there before, made once and copied for each layout."""
    with tempfile.TemporaryDirectory() as scratch:
        made = {}
        for number, (name, make) in enumerate(BEFORE.items()):
            home = Path(scratch) / str(number)
            _home(home)
            make(home)
            made[name] = home
        yield made


def _home(home: Path) -> None:
    home.mkdir(exist_ok=True)
    fakes.corpus(home)
    (home / "elsewhere_else").mkdir(exist_ok=True)
    fakes.corpus(home / "elsewhere_else")
    (home / "corpora").mkdir(exist_ok=True)
    (home / "mine.txt").write_text("".join(f"{text}\n" for text in sentences(60, 3)))


@seed(1)
@settings(max_examples=250, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@example(before="nothing", action="run", placed=[("out/train/data.txt", "file", b"the corpus itself\n")])
@example(before="nothing", action="run", placed=[("out/tokenize.partial", "folder with a file", b"x")])
@example(before="nothing", action="run", placed=[("out/report.html", "file", b"<title>mine</title>")])
@example(before="a finished run", action="run --force", placed=[("out/train/notes.txt", "file", b"mine")])
@example(before="nothing", action="save a model", placed=[("out.old", "folder with a file", b"x")])
@example(before="nothing", action="save a model", placed=[("out", "link to a folder", b"")])
@example(before="a model", action="save a model", placed=[("out/notes.txt", "file", b"mine")])
@example(before="nothing", action="fit(out)", placed=[("out/texts.jsonl", "file", b'{"text": "mine"}\n')])
@example(before="nothing", action="fit", placed=[("runs/fit/texts.jsonl", "file", b"mine")])
@given(before=st.sampled_from(list(BEFORE)), action=st.sampled_from(list(ACTIONS)), placed=entries)
def test_files_of_a_user_stay_as_they_are(
    befores: dict[str, Path], before: str, action: str, placed: list[tuple[str, str, bytes]]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        shutil.copytree(befores[before], home, symlinks=True)
        user = User(home)
        for entry in placed:
            user.add(*entry)
        for own in ("lines.txt", "mine.txt"):
            user._remember(home / own)
        refused = ""
        try:
            ACTIONS[action](home)
        except TextVAEError as error:
            refused = str(error)
            assert error.exit_code == 2, refused
        assert user.changes() == [], (action, refused)


@pytest.mark.parametrize("action", ["run --force", "save a model", "train", "fit(out)", "save a tokenizer"])
def test_what_is_ours_is_replaced_and_what_is_beside_it_left(
    action: str, befores: dict[str, Path], tmp_path: Path
) -> None:
    """No refusal where there is no need of one: ours is written twice, with a file of the user's beside it."""
    home = tmp_path / "home"
    shutil.copytree(befores["nothing"], home)
    (home / OUT).mkdir()
    (home / OUT / "notes.txt").write_text("mine")
    ACTIONS[action](home)
    ACTIONS[action](home)
    assert (home / OUT / "notes.txt").read_text() == "mine"
    assert not list(home.rglob(".textvae-*")), "nothing unfinished stays"


def test_a_refusal_names_the_file_and_comes_before_any_work(befores: dict[str, Path], tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(befores["nothing"], home)
    for name in ("train", "evaluate.partial"):
        (home / OUT / name).mkdir(parents=True)
        (home / OUT / name / "data.txt").write_text("mine")
        with pytest.raises(TextVAEError, match=f"{OUT}/{name}"):
            ACTIONS["run"](home)
        assert sorted(path.name for path in (home / OUT).iterdir()) == [name]
        shutil.rmtree(home / OUT)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("run/train", "folder with a file"),
        ("run/train.partial/checkpoints", "link to a folder"),
        ("run/report.html", "file"),
        ("run/notes.txt", "file"),
        ("run.old", "folder with a file"),
        ("run", "link to a folder"),
        ("text.arrow", "file"),
    ],
)
def test_the_command_itself(name: str, kind: str, tmp_path: Path) -> None:
    """`textvae run`, its own stages and a real corpus: what it reads and what lies around stays, done or refused."""
    from textvae import cli

    part = {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 8}
    recipe = write_tiny(
        tmp_path,
        {
            "name": "tiny",
            "corpus": "card.toml",
            "tokenize": {"max_tokens": 10},
            "train": {"epochs": 1, "model": {"kind": "text_vae", "latent_dim": 4, "encoder": part, "decoder": part}},
            "impute": {"sentences": 4},
        },
        sentences=200,
    )
    user = User(tmp_path)
    user.add(name, kind, b"mine\n")
    for path in (tmp_path / "text.tsv", tmp_path / "card.toml", recipe):
        user._remember(path)
    code = cli._run(["run", str(recipe), "--out", str(tmp_path / "run")])
    assert code == (2 if name.startswith(("run/train", "run/report")) else 0)
    assert user.changes() == []
    if code == 0:
        assert json.loads((tmp_path / "run" / "report.json").read_text())["train"]
