"""Ctrl-C in processes of their own: when it comes, what is said, with which code they end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_corpus import TOKENIZE, write_tiny
from textvae import interrupt

ROOT = Path(interrupt.__file__).parents[1]
SAID = f"textvae: {interrupt.SENTENCE}"
PART = {"kind": "gru", "hidden_dim": 6}
SETTINGS: dict[str, Any] = {
    "name": "tiny",
    "corpus": "card",
    "tokenize": TOKENIZE,
    "train": {
        "epochs": 30,
        "batch_tokens": 200,
        "model": {"kind": "text_vae", "latent_dim": 3, "encoder": PART, "decoder": PART},
    },
}

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="sends SIGINT to other processes"),
    pytest.mark.timeout(600),
]


@contextmanager
def started(*arguments: str, cwd: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process of Python that hears Ctrl-C, whatever this one does."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env=environment,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_until(stream: Any, wanted: str) -> None:
    for line in stream:
        if wanted in line:
            return
    raise AssertionError(f"ended before it said {wanted!r}")


def interrupted(process: subprocess.Popen[str]) -> str:
    """What is said on standard error until the end, which is that of an interrupted command."""
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert said.count(SAID) == 1 and "Traceback" not in said, said
    return said


PROGRAM = """
import sys, time
from textvae import cli, interrupt
interrupt.install()
def work(*_):
    {body}
cli.app = lambda **_: work()
print("ready", flush=True)
cli.main([])
"""

SWALLOWS = """
    while True:
        try:
            while True: time.sleep(0.01)
        except BaseException: pass
"""
LOSES = """
    try:
        time.sleep(60)
    except BaseException as error:
        raise ImportError("cannot import name") from error
"""
ENDS = """
    try: time.sleep(60)
    except BaseException: print("all is done")
"""
IN_EXEC = """
    exec("time.sleep(60)")
"""
IN_C = """
    import ctypes
    while True: ctypes.CDLL(None).sleep(60)
"""
DEFERS = """
    with interrupt.Interrupt() as asked:
        while not asked.raised: time.sleep(0.01)
        time.sleep(2 * interrupt.PATIENCE)
        print("came to a good end", flush=True)
"""
BEGINS_TO_DEFER = """
    try: time.sleep(60)
    except BaseException: pass
    with interrupt.Interrupt(): print("began all the same", flush=True)
"""
HANGS_AT_THE_END = """
    import threading
    threading.Thread(target=time.sleep, args=(60,)).start()
    time.sleep(60)
"""


@pytest.mark.parametrize("body", [SWALLOWS, LOSES, ENDS, IN_EXEC, IN_C, DEFERS, BEGINS_TO_DEFER, HANGS_AT_THE_END])
def test_whatever_becomes_of_a_keyboard_interrupt_the_command_ends(body: str) -> None:
    with started("-c", PROGRAM.format(body=body.strip("\n").lstrip())) as process:
        assert process.stdout is not None
        read_until(process.stdout, "ready")
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, SAID + "\n")
    assert ("came to a good end" in out) == (body is DEFERS)
    assert "began all the same" not in out


def test_the_second_one_ends_at_once_what_defers_the_first() -> None:
    body = 'with interrupt.Interrupt():\n        print("deep in", flush=True)\n        time.sleep(600)'
    with started("-c", PROGRAM.format(body=body)) as process:
        assert process.stdout is not None
        read_until(process.stdout, "deep in")
        process.send_signal(signal.SIGINT)
        assert not select.select([process.stderr], [], [], 3 * interrupt.PATIENCE)[0], "it is deferred"
        process.send_signal(signal.SIGINT)
        assert interrupted(process) == SAID + "\n"


def test_a_forked_child_s_signals_are_not_its_parent_s() -> None:
    body = """import os, signal
    child = os.fork()
    if not child:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    os.waitpid(child, 0)
    time.sleep(1.0)
    print(interrupt.raised())"""
    with started("-c", PROGRAM.format(body=body)) as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and out.splitlines()[-1] == "False"


def test_while_standard_input_is_read() -> None:
    with started("-m", "textvae", "reconstruct", "runs/none") as process:
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        assert interrupted(process) == SAID + "\n"


def test_while_the_command_is_imported(tmp_path: Path) -> None:
    # Anything that textvae.cli imports; this one keeps its KeyboardInterrupt to itself.
    slow = "import time\nprint('importing', flush=True)\ntry:\n    time.sleep(60)\nexcept BaseException:\n    pass\n"
    (tmp_path / "typer.py").write_text(slow)
    with started("-m", "textvae", "--help", cwd=tmp_path) as process:
        assert process.stdout is not None
        read_until(process.stdout, "importing")
        process.send_signal(signal.SIGINT)
        interrupted(process)


def test_outside_of_a_command_a_deferral_gives_the_handler_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupt.Interrupt() as asked:
        signal.raise_signal(signal.SIGINT)
        assert asked.raised
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(ZeroDivisionError), interrupt.Interrupt():
        signal.raise_signal(signal.SIGINT)
        raise ZeroDivisionError


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    write_tiny(folder, SETTINGS, 200)
    run(folder)
    return folder


def run(folder: Path) -> None:
    with started("-m", "textvae", "run", "tiny.toml", cwd=folder) as process:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said


def weights(folder: Path) -> bytes:
    return (folder / "runs" / "tiny" / "train" / "model" / "model.safetensors").read_bytes()


def press(folder: Path, after: str | None, delay: float) -> None:
    with started("-m", "textvae", "run", "tiny.toml", cwd=folder) as process:
        if after is not None:
            read_until(process.stderr, after)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        interrupted(process)


@pytest.mark.slow
def test_a_run_that_was_interrupted_where_imports_lose_it_goes_on_to_the_same_weights(
    whole: Path, tmp_path: Path
) -> None:
    write_tiny(tmp_path, SETTINGS, 200)
    press(tmp_path, "train: running", 0.05)
    run(tmp_path)
    assert weights(tmp_path) == weights(whole)


@pytest.mark.slow
def test_runs_interrupted_at_many_moments_go_on_to_the_same_weights(whole: Path, tmp_path: Path) -> None:
    write_tiny(tmp_path, SETTINGS, 200)
    delays = (0.0, 0.02, 0.05, 0.2, 0.5, 1.0)
    # From the entry of the command on: before it, in the start of Python, Ctrl-C is Python's own.
    for after in (None, "tokenize: ", "train: running"):
        for delay in delays:
            press(tmp_path, after, delay + (0.1 if after is None else 0.0))
    run(tmp_path)
    assert weights(tmp_path) == weights(whole)
