"""Recipes and settings that are none: one sentence and exit code 2, whatever stands in them."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trial import TRIAL
from tests.unit.pipeline.test_cli import refused, run
from textvae.disk import find_model
from textvae.errors import ConfigError, TextVAEError
from textvae.pipeline.checking import checked_settings
from textvae.pipeline.locate import find_recipe
from textvae.pipeline.naming import problem_of_name
from textvae.pipeline.new import new_recipe
from textvae.pipeline.reading import read_recipe
from textvae.pipeline.stages import STAGES
from textvae.text.corpora import find_card, load_card
from textvae.text.corpora.reading import LARGEST_SETTINGS

ROOT = Path(__file__).resolve().parents[3]
DEMO = tomllib.loads((ROOT / "pipelines" / "demo.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines").glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_of_ours_is_one(path: Path) -> None:
    recipe = read_recipe(path)
    assert checked_settings(recipe, STAGES).keys() == recipe.tables.keys()
    assert recipe.corpus.name


@pytest.mark.parametrize("path", sorted((ROOT / "data").glob("*.toml")), ids=lambda path: path.stem)
def test_every_card_of_ours_is_one(path: Path) -> None:
    assert load_card(path).kind


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ('train.model.latent_dim="8"', "valid integer"),
        ("train.model.latent_dim=true", "valid integer"),
        ("train.model.latent_dim=8.0", "valid integer"),
        ("train.model.latent_dim=[8]", "valid integer"),
        ("train.optimizer.lr=true", "valid number"),
        ('train.optimizer.lr="0.1"', "valid number"),
        ('train.optimizer.betas=["0.9", 0.99]', "valid number"),
        ('train.compile="true"', "valid boolean"),
        ("train.compile=1", "valid boolean"),
        ('train.batch_sentences="3"', "valid integer"),
        ('tokenize.tokenizer.vocab_size="900"', "valid integer"),
        ("tokenize.tokenizer.lowercase=0", "valid boolean"),
        ("evaluate.probe_labels=[100.0]", "valid integer"),
        ("evaluate.probe_labels=[true]", "valid integer"),
        ("train.model.latent_dim=1000000000", "less than or equal to 65536"),
        ("train.model.encoder.hidden_dim=1000000000", "less than or equal to 65536"),
        ("train.model.decoder.layers=1000000", "less than or equal to 100"),
        ("tokenize.tokenizer.vocab_size=1000000000000", "less than or equal to 10000000"),
        ("tokenize.max_tokens=1000000000", "less than or equal to 100000"),
        ("train.epochs=1000000000000000000", "less than or equal to 1000000000000"),
        ("train.batch_tokens=1000000000000000000", "less than or equal to 1000000000"),
        (f"train.log_every={'9' * 400}", "less than or equal to 9223372036854775807"),
        ("evaluate.iw_samples=1000000000", "less than or equal to 1000000"),
        ("interpolate.steps=1000000000", "less than or equal to 10000"),
        ("impute.width=1000000", "less than or equal to 1000"),
        ('interpolate.decoding={kind="beam", width=1000000}', "less than or equal to 1000"),
        ('interpolate.decoding={kind="beam", length_penalty=1e300}', "less than or equal to 10"),
        ('interpolate.decoding={kind="sample", temperature=inf}', "finite"),
        ('interpolate.decoding={kind="sample", temperature=0}', "above 0"),
        ("seed=-1", "greater than or equal to 0"),
        ("seed=18446744073709551616", "less than or equal to 9223372036854775807"),
        ("seed=true", "valid integer"),
        ("corpus.seed=-1", "greater than or equal to 0"),
        ("name=" + "x" * 300, "at most 100 characters"),
        ('name="a\\u0007b"', "printable characters only"),
        ('name=".."', "may not begin with a dot"),
        ('name=".hidden"', "may not begin with a dot"),
        ('name="a/b"', "may not hold '/'"),
        ('name="a "', "begin or end with a space"),
        ("name=CON", "device's name on Windows"),
        ('name=""', "may not be empty"),
        ("train=3", "expected a table"),
        ("a=" + "[" * 5000, "unknown setting"),
        ("train.epochs=" + "[" * 5000, "valid integer"),
        ("train.epochs=" + "[" * 80 + "]" * 80, "valid integer"),
        ("train." + "a." * 5000 + "b=1", "nested more than 64 levels"),
        ("train.epochs=" + "9" * 5000, "valid integer"),
        ("description=\udcff", "surrogate pair"),
        ("description=" + b"\\x00".decode("unicode_escape"), "NUL"),
        ("corpus.root=~nobody-of-this-name/x", "does not exist|no part|unknown setting"),
        ("corpus=" + "x" * 300, "is no path"),
        ("corpus=..", "is a folder"),
        ("corpus=/dev/zero", "is a device"),
        ("corpus=none", "no corpus card 'none'"),
    ],
    ids=lambda value: value[:40].encode("ascii", "backslashreplace").decode() if isinstance(value, str) else None,
)
def test_settings_that_are_none(tmp_path, setting: str, expected: str) -> None:
    with pytest.raises(TextVAEError, match=expected) as caught:
        recipe = read_recipe(DEMO, [setting])
        checked_settings(recipe, STAGES)
        assert recipe.corpus
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "'name' is missing"),
        (b"\xff\xfen\x00", "is not UTF-8"),
        (b"name = \x00", "is not TOML"),
        (b"a = " + b"[" * 5000, "nested more than 64 levels|is not TOML"),
        (b"a = " + b"{a=" * 5000, "nested more than 64 levels|is not TOML"),
        (b"a." * 300_000 + b"a = 1", "nested more than 64 levels"),
        (b"[" + b"a." * 300_000 + b"a]", "nested more than 64 levels"),
        (b"x" * (LARGEST_SETTINGS + 1), "more than 1 MB"),
        (b"a = " + b"9" * 5000, "holds a number"),
        (b'extends = "recipe.toml"', "extends itself"),
        (b'extends = "/dev/zero"', "is a device"),
        (b'extends = ".."', "is a folder"),
        (b'extends = "none.toml"', "does not exist"),
        (b'extends = "' + b"x" * 300 + b'"', "is no path"),
        (b"extends = 3", "is no text"),
        (b'name = "x"\ncorpus = 3', "setting 'corpus' is 3"),
        (b'name = "x"\ncorpus = "bible"\n[[train]]', "expected a table"),
        (b'name = 1979-05-27\ncorpus = "bible"', "valid string"),
    ],
    ids=range(18),
)
def test_recipe_files_that_are_none(tmp_path, content: bytes, expected: str) -> None:
    (tmp_path / "recipe.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=expected) as caught:
        checked_settings(read_recipe(tmp_path / "recipe.toml"), STAGES)
    assert len(str(caught.value)) < 600


def test_paths_that_are_no_recipe(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for given_path, expected in [
        (tmp_path, "is a folder"),
        (tmp_path / "pipe.toml", "is a pipe"),
        (tmp_path / "pipe", "no recipe|is a pipe"),
        ("/dev/zero", "is a device"),
        ("x" * 300, "is no path|no recipe"),
        ("a\0b", "is no path|no recipe"),
        ("~nobody-of-this-name/x", "no recipe"),
    ]:
        with pytest.raises(ConfigError, match=expected):
            read_recipe(given_path)
    for find in (find_recipe, lambda name: find_card(name, tmp_path), find_model):
        for name in ("x" * 300, "a\0b", "~nobody-of-this-name/a/b", "/dev/zero"):
            with pytest.raises(TextVAEError):
                find(name)


@pytest.mark.parametrize(
    "tables",
    [{**DEMO, "train": {1: 2}}, {**DEMO, "description": "\ud800"}, {**DEMO, "seed": "1"}, {**DEMO, "seed": 1.0}],
    ids=range(4),
)
def test_tables_that_no_file_could_hold(tables: dict) -> None:
    with pytest.raises(ConfigError):
        checked_settings(read_recipe(tables), STAGES)


def test_tables_that_hold_themselves() -> None:
    tables = {**DEMO}
    tables["train"] = {**DEMO["train"], "model": tables}
    with pytest.raises(ConfigError, match="nested more than 64 levels"):
        read_recipe(tables)


def test_a_corpus_whose_root_is_nowhere(tmp_path) -> None:
    (tmp_path / "card.toml").write_text('kind = "lines"\nfiles = { train = "x.txt" }\nroot = "nowhere"\n')
    recipe = read_recipe({**DEMO, "corpus": str(tmp_path / "card.toml")})
    with pytest.raises(TextVAEError, match=r"needs .*nowhere/x\.txt, which does not exist"):
        list(recipe.corpus.read("train"))


@pytest.mark.parametrize(
    "name", ["demo", "yelp vae-2", "été", "x" * 100, "a.b", "конь"], ids=["demo", "space", "accent", "100", "dot", "ru"]
)
def test_good_names(name: str) -> None:
    assert problem_of_name(name) is None


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=120))
def test_what_is_allowed_is_a_folder(tmp_path_factory, name: str) -> None:
    """A name that passes can be made, with the longest ending we put behind it, and is where it should be."""
    if problem_of_name(name) is None:
        folder = tmp_path_factory.mktemp("names")
        made = folder / f"{name}.partial"
        made.mkdir()
        assert made.parent == folder and list(folder.iterdir()) == [made]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["kind", "gaussian", "lstm", "beam", "language_model", "semi_supervised"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "model", "latent_dim", "width", "train", "free_bits", "prior"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


def _paths(tables: dict, before: tuple[str, ...] = ()) -> list[str]:
    found = []
    for name, value in tables.items():
        found.append(".".join((*before, name)))
        if isinstance(value, dict):
            found += _paths(value, (*before, name))
    return found


@settings(max_examples=300, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(_paths(DEMO)), VALUES, max_size=3))
def test_any_value_of_any_setting_is_taken_or_refused(changes: dict) -> None:
    try:
        recipe = read_recipe(DEMO, changes)
        assert checked_settings(recipe, STAGES)
        assert recipe.corpus
    except TextVAEError as error:
        assert len(str(error).splitlines()) == 1


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(_paths(DEMO)) | st.text(max_size=8), text=st.text(max_size=12))
def test_any_set_is_taken_or_refused(name: str, text: str) -> None:
    try:
        assert checked_settings(read_recipe(DEMO, [f"{name}={text}"]), STAGES)
    except TextVAEError as error:
        assert str(error)


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=200) | st.text(alphabet='[]{}"=.,\n a1', max_size=200).map(str.encode))
def test_any_bytes_are_a_recipe_or_refused(tmp_path_factory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("recipes") / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(TextVAEError):
        checked_settings(read_recipe(path), STAGES)


def test_new_and_its_arguments(tmp_path) -> None:
    (tmp_path / "good.txt").write_text("".join(f"text number {i}\n" for i in range(40)))
    (tmp_path / "same.txt").write_text("one text\n" * 200)
    os.mkfifo(tmp_path / "pipe.txt")
    for arguments, expected in [
        (["pipe.txt"], "is a pipe, not a file"),
        (["."], "is a folder, not a file"),
        (["/dev/zero"], "is a device, not a file"),
        (["x" * 300], "is no path"),
        (["same.txt"], "has 1 different text; give at least 30"),
        (["good.txt", "--minutes", "inf"], "--minutes is inf"),
        (["good.txt", "--minutes", "nan"], "--minutes is nan"),
        (["good.txt", "--minutes=-1"], "--minutes is -1.0"),
        (["good.txt", "--minutes", "1e300"], "--minutes is 1e+300"),
        (["good.txt", "--name", ".."], "--name got '..'"),
        (["good.txt", "--name", "x" * 300], "at most 100 characters"),
        (["good.txt", "--name", "con"], "device's name"),
    ]:
        assert expected in refused(run("new", *arguments, cwd=tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.txt", "pipe.txt", "same.txt"]


@pytest.mark.parametrize(
    "file", ["a\nb.txt", "a\x1bb.txt", "a\x7fb.txt", 'a"b.txt', "#.txt", "a`b.txt", "été.txt"], ids=ascii
)
def test_new_makes_a_recipe_of_any_file_name(tmp_path, file: str) -> None:
    texts = [f"text number {i}" for i in range(400)]
    (tmp_path / file).write_text("".join(f"{text}\n" for text in texts))
    recipe, _ = new_recipe(tmp_path / file, name="made", out=tmp_path, trial=TRIAL)
    read = read_recipe(recipe)
    assert checked_settings(read, STAGES)
    found = [example.text for split in read.corpus.splits for example in read.corpus.read(split)]
    assert sorted(found) == sorted(texts)


def test_new_refuses_a_file_name_that_no_card_can_hold(tmp_path) -> None:
    file = tmp_path / os.fsdecode(b"a\xff.txt")
    file.write_text("".join(f"text number {i}\n" for i in range(40)))
    said = refused(run("new", str(file), cwd=tmp_path))
    assert "rename it" in said and "inside textvae" not in said


def test_the_command_never_speaks_of_its_inside(tmp_path) -> None:
    for arguments in [
        ["run", "x" * 5000],
        ["run", str(tmp_path)],
        ["run", "/dev/zero"],
        ["run", "demo", "--set", "train.epochs=" + "[" * 5000],
        ["run", "demo", "--set", "seed=-1"],
        ["run", "demo", "--set", "a" * 5000 + "=1"],
        ["run", "demo", "--set", "\udcff=1"],
        ["generate", "x" * 5000],
        ["generate", "x" * 300 + "/y"],
    ]:
        said = refused(run(*arguments, cwd=tmp_path))
        assert "inside textvae" not in said and len(said) < 700
