"""What every command promises, run over the registry: a new one is tested by its line there."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from textvae import cli, commands
from textvae.commands import COMMANDS, NAMES
from textvae.commands.base import with_plain_options
from textvae.commands.decoding import DecodingOptions, option_names, settings_by_kind

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
OF_THE_PAGE = "length"
"""The command that docs/extending.md writes."""


def command_of_the_page() -> Any:
    """Its file, as a module."""
    codes = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    (code,) = (code for code in codes if f"`textvae {OF_THE_PAGE}`" in code)
    module = types.ModuleType(f"textvae.commands.{OF_THE_PAGE}")
    exec(compile(code, str(PAGE), "exec"), module.__dict__)
    return module


@pytest.fixture(params=dict.fromkeys([*NAMES, OF_THE_PAGE]))
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Every command of the registry, and the page's."""
    yield from registered(request.param, monkeypatch)


def registered(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name; the page's command is registered for the test, as a line in the list would."""
    if name in NAMES:
        yield name
        return
    monkeypatch.setitem(COMMANDS, OF_THE_PAGE, command_of_the_page().COMMAND)
    cli.register(OF_THE_PAGE, COMMANDS[OF_THE_PAGE])
    yield OF_THE_PAGE
    cli.app.registered_commands.pop()


@pytest.fixture
def places(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What stands for the placeholders of an example; commands write into a folder of their own."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_run / "run", tmp_path / "another_run")
    others = {"RUN_2": str(tmp_path / "another_run")}
    return others | {
        "RUN": str(tiny_run / "run"),
        "RECIPE": str(tiny_run / "tiny.toml"),
        "FILE": str(tiny_run / "text.tsv"),
    }


def parsed(name: str) -> Any:
    """The command as click has it."""
    group: Any = typer.main.get_command(cli.app)
    return group.commands[name]


def options(name: str) -> list[Any]:
    return [one for one in parsed(name).params if one.param_type_name == "option"]


def kinds_of_value(name: str) -> dict[str, set[type]]:
    """What each argument and option takes, such as int or None."""
    parameters = inspect.signature(with_plain_options(COMMANDS[name].function)).parameters
    hints = {key: get_args(parameter.annotation)[0] for key, parameter in parameters.items()}
    return {key: set(get_args(hint) or (hint,)) for key, hint in hints.items()}


def example(name: str, places: dict[str, str]) -> list[str]:
    """The words of a command's example."""
    return [places.get(word, word) for word in shlex.split(COMMANDS[name].example)]


def run(*arguments: str, stdin: bytes | None = b"") -> tuple[int, str, str]:
    """The command in this process: its exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    given = None if stdin is None else io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "stdin", given)
        code = cli._run(list(arguments))
    return code, out.getvalue(), err.getvalue()


def assert_refused(*arguments: str, stdin: bytes | None = b"") -> None:
    """With exit code 2, nothing on standard output, and one sentence, before which usage may be shown."""
    code, out, err = run(*arguments, stdin=stdin)
    assert (code, out) == (2, ""), (arguments, err)
    assert "Traceback" not in err
    said = [line for line in err.splitlines() if line.startswith(("textvae: ", "Error: "))]
    assert len(said) == 1, (arguments, err)


def test_it_has_json_and_a_help(name: str) -> None:
    assert "--json" in [opt for option in options(name) for opt in option.opts]
    code, out, err = run(name, "--help")
    assert (code, err) == (0, "")
    assert f"  textvae {name} {COMMANDS[name].example}\n" in out
    assert parsed(name).help.endswith(".")
    assert all(parameter.help for parameter in parsed(name).params)


def test_the_example_prints_a_result(name: str, places: dict[str, str]) -> None:
    words = example(name, places)
    code, out, err = run(name, *words)
    assert code == 0, err
    assert out and "Traceback" not in err
    assert COMMANDS[name].prints(words)


def test_the_example_prints_json_and_nothing_else(name: str, places: dict[str, str]) -> None:
    code, out, err = run(name, *example(name, places), "--json")
    assert code == 0, err
    assert out == json.dumps(json.loads(out), indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("place", ["none", ".", "", "a" * 300], ids=["none", "folder", "empty", "long"])
def test_it_refuses_a_run_a_recipe_or_a_file_that_is_none(name: str, place: str, places: dict[str, str]) -> None:
    words = shlex.split(COMMANDS[name].example)
    assert set(words) & set(places), "an example names a RUN, a RECIPE or a FILE"
    assert_refused(name, *(place if word in places else word for word in words))


def test_it_refuses_options_that_are_none_or_bad(
    name: str, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textvae.models.load_model", lambda folder: pytest.fail("the model was read"))
    words, kinds = example(name, places), kinds_of_value(name)
    assert_refused(name, *words, "--no-such-option")
    for option in options(name):
        typed = option.opts[0]
        bad: tuple[str, ...] = ()
        if "--seed" in option.opts:
            bad = ("-1", str(2**63), "1.5")
        if int in kinds[option.name]:
            bad += ("many", "nan", str(10**40), "9" * 5000)
        elif float in kinds[option.name]:
            bad += ("many", "nan", "inf")
        elif (option.metavar or "").startswith("FILE"):
            bad += ("none", ".", "a" * 300)
        for value in bad:
            assert_refused(name, *words, typed, value)


def test_it_refuses_what_are_no_sentences(name: str, places: dict[str, str]) -> None:
    taken = [one for one in parsed(name).params if one.param_type_name == "argument" and not one.required]
    words = example(name, places)
    context = parsed(name).make_context(name, list(words))
    for argument in taken:
        for sentence in context.params[argument.name]:
            words.remove(sentence)
        for stdin in (None, b"", b"\xff\n", b"\n\n"):
            assert_refused(name, *words, stdin=stdin)
        assert_refused(name, *words, "", "")
        assert_refused(name, *words, "\udcff", "")


def test_every_file_with_a_command_is_in_the_registry() -> None:
    folder = Path(commands.__file__).parent
    having = {path.stem for path in folder.glob("*.py") if "\nCOMMAND = " in path.read_text(encoding="utf-8")}
    assert having == set(NAMES)


def test_help_imports_no_torch() -> None:
    program = (
        "import sys\nfrom textvae.cli import _run\n_run(['--help'])\n"
        f"for name in {NAMES!r}:\n    assert _run([name, '--help']) == 0\n"
        "print('torch' in sys.modules)"
    )
    # Python looks for modules in the folder it is started in first.
    line = [sys.executable, "-c", program]
    said = subprocess.run(line, capture_output=True, text=True, check=True, cwd=PAGE.parents[1])
    assert said.stdout.splitlines()[-1] == "False"


def test_help_lists_the_commands_in_the_order_of_the_registry() -> None:
    listed = re.findall(r"^  (\w+)  ", run("--help")[1].partition("Commands:")[2], flags=re.M)
    assert tuple(listed) == NAMES


def test_every_setting_of_a_decoding_has_an_option_and_every_option_a_setting() -> None:
    belonging, named = settings_by_kind(), option_names()
    assert set(named) == set.union(*belonging.values())
    declared = {one.name: one for one in options("reconstruct")}
    assert all(kind in declared["decoding"].help for kind in belonging)
    assert DecodingOptions().decoding in belonging
    for kind, settings in belonging.items():
        for setting in settings:
            assert declared[setting].opts == [named[setting]]
            assert kind in declared[setting].help
