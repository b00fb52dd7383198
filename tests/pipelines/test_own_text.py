"""The whole path on a tiny corpus through the command line: stages, a second run, changed settings, commands."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from safetensors.torch import save_model

from textvae import cli
from textvae.disk import LOCK, MARKER, is_marked, write_json
from textvae.models import load_model
from textvae.pipeline.manifest import describe_files, read_manifest


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli._run(list(arguments))
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def folder(tiny_run: Path) -> Path:
    return tiny_run


def test_the_report_has_every_promised_number(folder: Path) -> None:
    report = json.loads((folder / "run" / "report.json").read_text())
    promised = {
        "evaluate": ["iw_nll", "iw_nll_se", "elbo_nll", "kl", "mi", "active_units", "ppl", "tokens", "collapsed"],
        "classify": ["accuracy", "labels", "majority_accuracy"],
        "impute": ["accuracy", "baseline_accuracy"],
        "train": ["tokens_per_second", "peak_memory_mb"],
    }
    for group, names in promised.items():
        for name in names:
            assert report[group][name] is not None, f"{group}.{name}"
    assert report["classify"]["labels"] == 20


def test_the_page_is_self_contained(folder: Path) -> None:
    page = (folder / "run" / "report.html").read_text()
    # Curves, confusion matrix, latent map, and a dot for each of two labels.
    assert page.count("<svg") == 5 and page.count("<script") == 1
    for outside in ("<link", "src=", "@import"):
        assert outside not in page
    for heading in (
        "Numbers",
        "Training",
        "New sentences",
        "Paths between",
        "Blanks filled in",
        "Classifier",
        "Latent space",
    ):
        assert heading in page
    assert "public domain" in page


def test_text_in_the_page_is_escaped() -> None:
    from textvae.pipeline.report.build import render

    corpus = {"name": "<b>", "licence": "", "description": "", "citation": "", "source": ""}
    named = dict.fromkeys(("description", "textvae", "torch", "python", "hardware", "date"), "0")
    run = {**named, "recipe": "<script>alert(1)</script>", "seed": 0, "seconds": 1.0, "stage_seconds": {}}
    run["settings"] = {"x": "</pre><script>"}
    page = render({"run": run}, {}, corpus, [])
    assert page.count("<script") == 1 and "<script>alert" not in page and "</pre><script>" not in page


def test_a_second_run_does_nothing_without_torch(folder: Path) -> None:
    import os
    import subprocess

    program = (
        "import sys\nfrom textvae.cli import _run\n"
        f"code = _run(['run', {str(folder / 'tiny.toml')!r}, '--out', {str(folder / 'run')!r}])\n"
        "print(code, 'torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert said.stdout == "0 False\n"
    assert "nothing to do" in said.stderr


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("evaluate.iw_samples=4", {"evaluate"}),
        ("classify.labels=10", {"classify"}),
        ("train.epochs=3", {"train", "evaluate", "classify", "impute", "interpolate"}),
        ("train.checkpoint_minutes=3.0", set()),
    ],
)
def test_a_changed_setting_reruns_the_right_stages(folder: Path, setting: str, expected: set[str]) -> None:
    code, out, err = run("run", str(folder / "tiny.toml"), "--out", str(folder / "run"), "--set", setting, "--dry-run")
    assert code == 0, err
    assert {line.split(":")[0] for line in out.splitlines() if "will run" in line} == expected


def test_a_run_tells_scripts_its_plan_and_its_numbers(folder: Path) -> None:
    recipe, out = str(folder / "tiny.toml"), str(folder / "run")
    code, said, err = run("run", recipe, "--out", out, "--json")
    assert code == 0, err
    assert "nothing to do" in err
    (told,) = json.loads(said)
    assert (told["name"], told["folder"]) == ("tiny", out)
    assert told["report"] == json.loads((folder / "run" / "report.json").read_text())
    assert told["steps"][0] == {"stage": "tokenize", "runs": False, "reason": "up to date"}
    changed = ("--set", "evaluate.iw_samples=4", "--dry-run", "--json")
    code, said, err = run("run", recipe, recipe, "--out", out, *changed)
    assert (code, err) == (0, "")
    plans = json.loads(said)
    assert [plan["folder"] for plan in plans] == [str(folder / "run" / "tiny")] * 2
    assert "report" not in plans[0]
    (told,) = json.loads(run("run", recipe, "--out", out, *changed)[1])
    assert [(step["stage"], step["reason"]) for step in told["steps"] if step["runs"]] == [
        ("evaluate", "because `evaluate.iw_samples` 3 -> 4")
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evaluate", "--samples", "0"], "--samples is 0; input should be greater than or equal to 1"),
        (["evaluate", "--split", "tset"], "there is no split 'tset'"),
        (["generate", "--vectors", "none.npy"], "none.npy does not exist"),
        (["generate", "--decoding", "beam", "--beam", "0"], "--beam is 0; input should be"),
        (["reconstruct", "the a", "--decoding", "sample", "--top-p", "2"], "--top-p is 2.0; input should be"),
        (["reconstruct", "the a", "--decoding", ""], "--decoding got '', expected beam, greedy or sample"),
        (["interpolate", "the a", "the b", "--steps", "1"], "steps is 1; expected a whole number from 2 to 10000"),
        (["interpolate", "the a", "the b", "--kind", "round"], "kind is 'round'; expected 'linear' or 'spherical'"),
        (["impute", "the ___", "--answers", "5000"], "answers is 5000; expected a whole number from 1 to 1000"),
        (["classify", "the \x00"], "holds"),
    ],
)
def test_what_is_wrong_without_a_model_is_refused_before_one_is_read(
    folder: Path, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textvae.models.load_model", lambda folder: pytest.fail("the model was read"))
    name, *rest = arguments
    code, out, err = run(name, str(folder / "run"), *rest)
    assert (code, out) == (2, "")
    assert said in err and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["evaluate", "--samples", "2", "--seed", "3"], "iw_nll"),
        (["generate", "-n", "3", "--decoding", "sample", "--top-k", "5", "--seed", "3"], "text"),
        (
            ["reconstruct", "the a i is good", "the b j is bad", "--decoding", "beam", "--beam", "2", "--seed", "3"],
            "reconstruction",
        ),
        (
            ["interpolate", "the a i is good", "the b j is bad", "--steps", "3", "--kind", "spherical", "--seed", "3"],
            "texts",
        ),
        (["impute", "the a i is ___", "--seed", "3"], "answers"),
        (["classify", "the a i is good"], "probabilities"),
    ],
)
def test_each_command_alone(folder: Path, arguments: list[str], key: str) -> None:
    name, *rest = arguments
    for run_or_model in (folder / "run", folder / "run" / "train" / "model"):
        code, out, err = run(name, str(run_or_model), *rest, "--json")
        assert code == 0, err
        value = json.loads(out)
        assert key in (value[0] if isinstance(value, list) else value)
    code, again, _ = run(name, str(run_or_model), *rest, "--json")
    assert again == out
    code, plain, _ = run(name, str(folder / "run"), *rest)
    assert code == 0 and plain


def test_sentences_come_from_standard_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"the a i is good\nthe b j is bad\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    code, out, err = run("classify", str(folder / "run"), "--json")
    assert code == 0, err
    assert [one["text"] for one in json.loads(out)] == ["the a i is good", "the b j is bad"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["reconstruct", ""], "empty"),
        (["interpolate", "the a i is good"], "expected two"),
        (["impute", "no blank here"], "___"),
        (["evaluate", "--split", "tset"], "there is no split 'tset'"),
    ],
)
def test_bad_sentences_get_one_sentence(folder: Path, arguments: list[str], said: str) -> None:
    name, *rest = arguments
    code, out, err = run(name, str(folder / "run"), *rest)
    assert (code, out) == (2, "")
    assert said in err and len(err.strip().splitlines()) == 1


def made_before(run: Path) -> None:
    """Turn a run into one as it was before folders had markers: no checksums in config.json, weights as safetensors
    itself writes those of a model, `.lock`."""
    for name in (MARKER, LOCK):
        for path in run.rglob(name):
            path.unlink()
    (run / ".lock").touch()
    for stage in ("train", "classify"):
        folder = run / stage / "model"
        save_model(load_model(folder), str(folder / "model.safetensors"))
        header = json.loads((folder / "config.json").read_text())
        del header["files"]
        (folder / "config.json").write_text(json.dumps(header, indent=2) + "\n")
        manifest = read_manifest(run / stage)
        assert manifest is not None
        write_json(run / stage / "manifest.json", asdict(replace(manifest, files=describe_files(run / stage))))


def test_a_run_made_before_is_read_used_and_gone_on_with(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(folder, home)
    made_before(home / "run")
    arguments = ["run", str(home / "tiny.toml"), "--out", str(home / "run")]
    code, _, err = run(*arguments)
    assert code == 0 and "nothing to do" in err
    assert not list(home.rglob(MARKER)), "what is only read is left as it is"
    for command in (["generate", "-n", "2"], ["impute", "the ___ is good"], ["classify", "the a i is good"]):
        now = run(command[0], str(home / "run"), *command[1:])
        assert now == run(command[0], str(folder / "run"), *command[1:]) and now[0] == 0
    # Its outputs are ours, so they are replaced.
    code, _, err = run(*arguments, "--force", "--only", "tokenize")
    assert code == 0, err
    assert is_marked(home / "run" / "tokenize")


def test_tokenized_sentences_that_are_damaged_are_refused_before_arrow_reads_them(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "run", tmp_path / "run")
    path = tmp_path / "run" / "tokenize" / "test.arrow"
    path.write_bytes(path.read_bytes()[:-8] + b"\xff" * 8)
    code, _, err = run("evaluate", str(tmp_path / "run"))
    assert code == 2 and "test.arrow has been changed" in err


def test_a_truncated_model_gets_one_sentence(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "run" / "train" / "model", tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    code, _, err = run("generate", str(tmp_path / "model"))
    assert code == 2 and "truncated" in err and len(err.strip().splitlines()) == 1


def test_fit_trains_from_a_list(tmp_path: Path) -> None:
    import textvae

    rng = random.Random(0)
    texts = [f"the {rng.choice('abcdefgh')} {rng.choice('ijklmnop')} is here ." for _ in range(200)]
    small = {"kind": "lstm", "embedding_dim": 8, "hidden_dim": 8}
    model = textvae.fit(
        texts, minutes=0.1, out=tmp_path, train__epochs=1, evaluate__iw_samples=2, impute__sentences=5,
        train__model__encoder=small, train__model__decoder=small,
    )  # fmt: skip
    assert model.encode(texts[:2]).shape == (2, model.latent_dim)
    assert len(model.decode(model.encode(texts[:2]))) == 2
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.slow
def test_several_processes_share_a_run(folder: Path, tmp_path: Path) -> None:
    """Two processes from the same command: one does the small stages, both train, and the report is written once."""
    import os
    import socket
    import subprocess

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(port), "-m", "textvae"]
    arguments = ["run", str(folder / "tiny.toml"), "--out", str(tmp_path / "run"), "--only", "classify", "--json"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(cli.__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
        "ACCELERATE_USE_CPU": "1",
    }
    for expected in ("done: tokenize, train, classify", "nothing to do"):
        line = [sys.executable, *launch, *arguments]
        said = subprocess.run(line, capture_output=True, text=True, env=environment, check=False)
        assert said.returncode == 0, said.stderr
        assert said.stderr.count(expected) == 1
        (told,) = json.loads(said.stdout)
        assert [step["stage"] for step in told["steps"]] == ["tokenize", "train", "classify"]
    alone = json.loads((folder / "run" / "report.json").read_text())["train"]
    both = json.loads((tmp_path / "run" / "report.json").read_text())["train"]
    assert both["steps"] == alone["steps"]


def test_the_baseline_without_z_runs_from_the_same_recipe(folder: Path) -> None:
    recipe, out = str(folder / "tiny.toml"), folder / "baseline"
    code, _, err = run("run", recipe, "--set", "train.model.kind=language_model", "--out", str(out))
    assert code == 0, err
    report = json.loads((out / "report.json").read_text())
    assert report["run"]["recipe"] == "tiny_lm" and "classify" not in report and report["impute"]["sentences"] == 20
    assert report["evaluate"]["iw_nll"] == report["evaluate"]["elbo_nll"] and report["evaluate"]["kl"] == 0
    assert "without z" in (out / "report.html").read_text()
