"""Sentences that come one by one: the first are the same whatever is asked for, and nothing waits for the last."""

from __future__ import annotations

import contextlib
import io
import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.pipeline.test_cli import refused, run
from tests.unit.tasks.test_generate_for_a_label import conditional, semi_supervised
from tests.unit.tasks.test_tasks import text_vae
from textvae import cli
from textvae.generation import BeamConfig, Decoding, GreedyConfig, SamplingConfig
from textvae.tasks import generate_sentences
from textvae.tasks.generate import stream_sentences
from textvae.tasks.markov_chain import markov_chain, stream_chain

DECODINGS: list[Decoding] = [GreedyConfig(), SamplingConfig(), BeamConfig(width=2)]
START = "I love you."


@pytest.mark.parametrize("decoding", DECODINGS, ids=lambda one: one.kind)
@pytest.mark.parametrize("label", [None, "good"])
def test_the_first_sentences_are_the_same_whatever_the_count(decoding: Decoding, label: str | None) -> None:
    for model in (conditional(), semi_supervised()):
        how: dict[str, Any] = {"label": label, "decoding": decoding, "seed": 3}
        many = generate_sentences(model, 700, **how)
        assert len(many) == 700
        for count in (0, 1, 9, 10, 11, 57, 256, 300):
            assert generate_sentences(model, count, **how) == many[:count]
        assert list(islice(stream_sentences(model, 10**15, **how), 30)) == many[:30]


def test_who_takes_them_may_draw_in_between_and_draws_what_he_would() -> None:
    model = semi_supervised()
    expected = generate_sentences(model, 45, decoding=SamplingConfig(), seed=1)
    torch.manual_seed(5)
    drawn = torch.stack([torch.rand(3) for _ in range(45)])
    torch.manual_seed(5)
    taken, between = [], []
    for one in stream_sentences(model, 45, decoding=SamplingConfig(), seed=1):
        taken.append(one)
        between.append(torch.rand(3))
    assert taken == expected
    assert torch.equal(torch.stack(between), drawn)


def test_a_chain_is_the_same_step_by_step() -> None:
    model = text_vae()
    (chain,) = markov_chain(model, [START], 12, seed=4)
    assert len(set(chain)) > 1
    assert list(stream_chain(model, START, 12, seed=4)) == chain
    assert list(islice(stream_chain(model, START, 10**15, seed=4), 5)) == chain[:5]


class Leaves(io.StringIO):
    """A reader that leaves after some writes."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def write(self, text: str) -> int:
        self.left -= 1
        if self.left < 0:
            raise BrokenPipeError
        return super().write(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text_vae().save_pretrained(tmp_path / "model")
    return tmp_path


@pytest.mark.parametrize("further", [(), ("--start", START, "--start", "The dog sleeps.")], ids=["prior", "walk"])
def test_the_command_prints_them_as_they_come(
    further: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = ("--decoding", "sample", "--seed", "2", *further)
    texts = run("generate", "model", "-n", "12", *how, cwd=folder).stdout.splitlines()
    printed = run("generate", "model", "-n", "12", *how, "--json", cwd=folder).stdout
    made = json.loads(printed)
    assert printed == json.dumps(made, indent=2, ensure_ascii=False) + "\n"
    assert [one["text"] for one in made] == texts
    assert len(texts) == (24 if further else 12)

    monkeypatch.setattr(cli, "_silence", lambda: None)
    for form in ((), ("--json",)):
        out, err = Leaves(after=40), io.StringIO()
        with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli._run(["generate", "model", "-n", str(10**12), *how, *form])
        assert (code, err.getvalue()) == (1, "")
        assert out.getvalue().startswith(printed[:80] if form else "\n".join(texts[:12]))


def test_no_sentences_are_an_empty_list(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textvae.commands.generate.generate_run", lambda *_, **__: iter(()))
    assert run("generate", "model", "--json", cwd=folder).stdout == "[]\n"
    assert run("generate", "model", cwd=folder).stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [("generate", "model", "-n"), ("generate", "model", "--seed"), ("impute", "model", "a ___ b", "-n"),
     ("evaluate", "model", "--samples"), ("interpolate", "model", "a", "b", "--steps")],
)  # fmt: skip
@pytest.mark.parametrize("number", [str(2**63), str(10**40), "9" * 5000])
def test_numbers_that_nothing_can_count_are_refused(arguments: tuple[str, ...], number: str, folder: Path) -> None:
    result = run(*arguments, number, cwd=folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr and arguments[-1] in result.stderr


def test_a_sentence_that_no_model_can_walk_from_stops_before_the_first_walks(folder: Path) -> None:
    refused(run("generate", "model", "--start", START, "--start", "", cwd=folder))
