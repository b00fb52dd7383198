"""The command line: its options, its exit codes, and one sentence for each thing that can go wrong."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from textvae import __version__, cli
from textvae.errors import DataError, MachineError, ModelError

DECODING = {"--decoding", "--temperature", "--top-k", "--top-p", "--beam", "--length-penalty"}
FILES = {"--file", "--out", "--column", "--on-error", "--delimiter", "--format"}
OPTIONS = {
    "run": {"--set", "--out", "--only", "--force", "--dry-run", "--json"},
    "new": {
        *("--name", "--minutes", "--out", "--force", "--json"),
        *("--text", "--label", "--split", "--delimiter", "--no-label"),
    },
    "evaluate": {"--split", "--samples", "--file", "--ais", "--json", "--seed"},
    "generate": {"--count", "-n", "--json", "--seed", "--start", "--walk", "--label", "--vectors", *DECODING, *FILES},
    "reconstruct": {"--json", "--seed", *DECODING, *FILES},
    "interpolate": {"--steps", "--kind", "--json", "--seed", *DECODING},
    "impute": {"--answers", "-n", "--json", "--seed", *FILES},
    "classify": {"--confidence", "--json", *FILES},
    "encode": {"--json", "--npy", *FILES},
    "score": {"--json", "--samples", "--seed", *FILES},
}


def command(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    line = [sys.executable, "-m", "textvae", *arguments]
    return subprocess.run(line, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command in this process, which spares the imports."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd or Path.cwd()), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli._run(list(arguments))
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def refused(result: subprocess.CompletedProcess[str], code: int = 2) -> str:
    """The one sentence that was said."""
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    return result.stderr.strip()


def test_the_options_are_these() -> None:
    """A renamed or removed option breaks people's scripts: change this list on purpose only. A new command needs no
    line here before people use it."""
    import typer

    group = typer.main.get_command(cli.app)
    found = {
        name: {
            option for parameter in command.params if parameter.param_type_name == "option" for option in parameter.opts
        }
        for name, command in group.commands.items()  # type: ignore[attr-defined]
    }
    assert {name: found[name] for name in OPTIONS} == OPTIONS
    assert {option for parameter in group.params for option in parameter.opts} == {"--version"}


def test_version_and_help_do_not_import_torch() -> None:
    assert command("--version").stdout == f"textvae {__version__}\n"
    program = "import sys\nfrom textvae.cli import _run\n_run(['--help'])\nprint('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert said.stdout.splitlines()[-1] == "False"


def test_usage_errors_leave_with_2() -> None:
    for arguments in (["run"], ["generate", "x", "--no-such"], ["nonsense"], ["generate", "x", "-n", "many"]):
        result = run(*arguments)
        assert result.returncode == 2
        assert "Traceback" not in result.stderr


def test_a_walk_needs_a_start() -> None:
    assert "give --start TEXT" in refused(run("generate", "x", "--walk"))


def test_a_walk_has_no_label() -> None:
    assert "leave one of them out" in refused(run("generate", "x", "--start", "a b", "--label", "good"))
    assert "leave one of them out" in refused(run("generate", "x", "--start", "a b", "--vectors", "v.npy"))


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DataError("the file is empty."), 2, "the file is empty."),
        (ModelError("no model."), 2, "no model."),
        (MachineError("no disk."), 1, "no disk."),
        (OSError(errno.ENOSPC, "No space left on device", "x.bin"), 1, "no space left on the disk (x.bin)"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "no permission (x)"),
        (torch.OutOfMemoryError("CUDA out of memory"), 1, "train.batch_tokens"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), 1, "train.batch_tokens"),
        (MemoryError(), 1, "train.batch_tokens"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("something\nodd"), 1, "an error inside textvae: ValueError: something odd"),
    ],
)
def test_errors_become_a_sentence_and_a_code(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.delenv("TEXTVAE_DEBUG", raising=False)
    monkeypatch.setattr("textvae.pipeline.reading.read_recipe", fail)
    with pytest.raises(SystemExit) as leaving:
        cli.main(["run", "x"])
    assert leaving.value.code == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_a_reader_that_left_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('name = "x"\ncorpus = "bible"\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "textvae", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])},
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.wait()
    process.stderr.close()


def card(folder: Path, text: str | bytes, **more: object) -> Path:
    data = text.encode() if isinstance(text, str) else text
    (folder / "text.txt").write_bytes(data)
    fields = {"kind": "lines", "files": {"train": "text.txt"}, **more}
    fields.setdefault("split_fractions", {"train": 0.8, "valid": 0.1, "test": 0.1})
    from textvae.pipeline.new import to_toml

    (folder / "card.toml").write_text(to_toml(fields, "A card."))
    (folder / "mine.toml").write_text('name = "mine"\ncorpus = "card"\n[tokenize]\nmax_tokens = 9\n')
    return folder / "mine.toml"


GOOD = "".join(f"this is line {i} .\n" for i in range(50))


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ("", {}, "text.txt is empty"),
        (b"good\nb\xffd\n", {}, "text.txt, line 2 is not UTF-8"),
        ("a,b\n1,2\n", {"kind": "csv", "text_column": "sentence"}, "a"),
        (GOOD, {"checksums": {"train": "sha256:" + "0" * 64}}, "has checksum"),
        (GOOD, {"lable_column": "x"}, "unknown setting"),
        (GOOD, {"split_fractions": {"train": 1.0}}, "no valid"),
        (GOOD, {"files": {"train": "missing.txt"}}, "missing.txt, which does not exist"),
    ],
)
def test_bad_corpora_get_one_sentence(tmp_path: Path, text: str | bytes, more: dict[str, object], said: str) -> None:
    card(tmp_path, text, **more)
    assert said in refused_in_run(tmp_path)


def refused_in_run(folder: Path, *arguments: str) -> str:
    """The last line of a run that failed; lines before it are progress."""
    result = run("run", "mine.toml", *arguments, cwd=folder)
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("textvae: ")]
    assert len(errors) == 1
    assert result.stderr.splitlines()[-1] == errors[0]
    return errors[0]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("tokenize.max_token=3", "did you mean 'max_tokens'"),
        ("tokenize.max_tokens=many", "max_tokens"),
        ("tokenize.tokenizer.kind=wrod", "expected one of"),
        ("tokeniz.max_tokens=3", "did you mean 'tokenize'"),
        ("corpus.limits=3", "did you mean 'limit'"),
        ("corpus=nowhere", "there is no corpus card 'nowhere'"),
        ("tokenize.max_tokens", "NAME=VALUE"),
        ("train.start_from.run=runs/none", "train.start_from: runs/none does not exist"),
    ],
)
def test_bad_settings_get_one_sentence(tmp_path: Path, setting: str, said: str) -> None:
    card(tmp_path, GOOD)
    assert said in refused(run("run", "mine.toml", "--set", setting, cwd=tmp_path))


def test_classify_without_labels_says_so(tmp_path: Path) -> None:
    card(tmp_path, GOOD)
    settings = ["--set", "train.epochs=1", "--set", "classify={}", "--dry-run"]
    said = refused(run("run", "mine.toml", *settings, cwd=tmp_path))
    assert "corpus 'card' has no labels" in said


def test_models_that_are_none_get_one_sentence(tmp_path: Path) -> None:
    assert "does not exist" in refused(run("generate", "runs/none", cwd=tmp_path))
    (tmp_path / "empty").mkdir()
    assert "holds no model" in refused(run("generate", "empty", cwd=tmp_path))
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "config.json").write_text(json.dumps({"architectures": ["GPT2"]}))
    assert "not a textvae model" in refused(run("generate", "foreign", cwd=tmp_path))


@pytest.mark.parametrize(("given", "expected"), [((), "sample"), (("--decoding", "greedy"), "greedy")])
def test_a_walk_samples_words_unless_told_otherwise(
    given: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from textvae.commands import generate

    seen = []
    monkeypatch.setattr(generate, "walk_run", lambda *where, decoding, **more: seen.append(decoding.kind) or [])
    assert run("generate", "x", "--start", "a b", *given).returncode == 0
    assert seen == [expected]


def test_decoding_options_of_another_kind_are_refused(tmp_path: Path) -> None:
    said = refused(run("generate", "x", "--decoding", "beam", "--top-k", "3", cwd=tmp_path))
    assert "--top-k has no effect with --decoding beam; use --decoding sample" in said
    assert "expected beam, greedy or sample" in refused(run("generate", "x", "--decoding", "best", cwd=tmp_path))


def test_new_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(
        "label,text\n" + "".join(f"{'ab'[i % 2]},this is text {i} .\n" for i in range(200))
    )
    made = run("new", "mine.csv", "--minutes", "1", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert made.stdout == "textvae run mine.toml\n"
    assert "[classify]" in (tmp_path / "mine.toml").read_text()
    assert "mine.toml exists" in refused(run("new", "mine.csv", cwd=tmp_path))
    told = run("new", "mine.csv", "--force", "--json", cwd=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    written = json.loads(told.stdout)
    assert (written["recipe"], written["card"]) == ("mine.toml", "mine_corpus.toml")
    assert written["notes"] and all(note in made.stderr for note in written["notes"][:1])
    assert "does not exist" in refused(run("new", "none.csv", cwd=tmp_path))


def test_warnings_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    cli.warn(UserWarning("z is not used."), UserWarning, "somewhere.py", 7)
    assert capsys.readouterr().err == "textvae: warning: z is not used.\n"
