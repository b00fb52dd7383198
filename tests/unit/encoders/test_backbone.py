"""Finding and loading pretrained encoders: what is missing or damaged is said, nothing is printed, no code is run."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.components import HAS_TRANSFORMERS, reading
from tests.hub_endpoint import Endpoint, served
from tests.tiny_backbone import write_backbone
from textvae.config import parse
from textvae.encoders import EncoderConfig, PretrainedEncoderConfig
from textvae.encoders.backbone import BackboneReader, last_layer, load_backbone
from textvae.encoders.backbone_files import find_backbone
from textvae.errors import ConfigError, MachineError, ModelError

ROOT = Path(__file__).resolve().parents[3]
needs_transformers = pytest.mark.skipif(not HAS_TRANSFORMERS, reason="needs the transformers package")


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    return write_backbone(tmp_path / "bert")


def build(folder: Path | str, **settings: object) -> object:
    return PretrainedEncoderConfig.model_validate({"model": str(folder), **settings}).build(vocab_size=11)


def edit(name: str, **entries: object) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(json.dumps({**json.loads((folder / name).read_text()), **entries}))


def as_pickle(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def without(part: str) -> Callable[[Path], object]:
    def remove(folder: Path) -> None:
        weights = {name: value for name, value in load_file(folder / "model.safetensors").items() if part not in name}
        save_file(weights, folder / "model.safetensors", {"format": "pt"})

    return remove


HARMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (lambda folder: shutil.rmtree(folder), "is no folder here; give the folder of a model"),
    "no config": (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
    "a damaged config": (lambda folder: (folder / "config.json").write_text("{"), "config.json .* is damaged"),
    "a config that is a list": (lambda folder: (folder / "config.json").write_text("[]"), "config.json .* is damaged"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "has no model.safetensors"),
    "weights as a pickle": (as_pickle, "has no model.safetensors; .* other formats can hold code"),
    "weights as a folder": (
        lambda folder: ((folder / "model.safetensors").unlink(), (folder / "model.safetensors").mkdir()),
        "has a model.safetensors that is a folder",
    ),
    "truncated weights": (
        lambda folder: (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-9]),
        "the model of .* cannot be read",
    ),
    "weights of another shape": (edit("config.json", intermediate_size=13), "the model of .* cannot be read"),
    "a layer missing": (without("layer.1"), "lack 'encoder.layer.1"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer"),
    "a damaged tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{}"), "the tokenizer of .* cannot"),
    "a part of several missing": (
        lambda folder: (
            (folder / "model.safetensors").unlink(),
            (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}'),
        ),
        "model-1.safetensors of .* is missing",
    ),
    "parts elsewhere": (
        lambda folder: (
            (folder / "model.safetensors").unlink(),
            (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../model.safetensors"}}'),
        ),
        "model.safetensors.index.json of .* is missing or damaged",
    ),
    "quantized": (edit("config.json", quantization_config={"quant_method": "bitsandbytes"}), "is quantized"),
    "with a decoder": (edit("config.json", is_encoder_decoder=True), "has a decoder too"),
    "too large": (edit("config.json", num_hidden_layers=10**9), "10000+ layers, expected at most"),
    "a kind nobody knows": (edit("config.json", model_type="unheard_of"), "the model of .* cannot be read"),
    "a kind of its own code": (
        edit("config.json", model_type="own", auto_map={"AutoConfig": "code.C", "AutoModel": "code.M"}),
        "the model of .* cannot be read",
    ),
}


@needs_transformers
@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("trainable", ["none", "all"])
def test_what_is_wrong_is_said_in_one_sentence(harm: str, trainable: str, folder: Path) -> None:
    do, said = HARMS[harm]
    do(folder)
    with pytest.raises(ModelError, match=said) as caught:
        build(folder, trainable=trainable)
    told = str(caught.value)
    assert str(folder) in told and "\n" not in told and told.endswith(".")


@needs_transformers
def test_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    small = {**load_file(folder / "model.safetensors")}
    name = "embeddings.word_embeddings.weight"
    save_file({**small, name: small[name][:50].clone()}, folder / "model.safetensors", {"format": "pt"})
    edit("config.json", vocab_size=50)(folder)
    with pytest.raises(ModelError, match=r"has \d+ tokens, and its weights are for 50: they do not belong together"):
        build(folder)


def test_without_transformers_its_installation_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"install it with `pip install textvae\[pretrained\]`\.$"):
        build(folder)


def test_settings_are_checked() -> None:
    for settings, said in (
        ({}, "'encoder.model' is missing"),
        ({"model": ""}, "at least 1 character"),
        ({"model": "a", "trainable": "some"}, "'none', 'last' or 'all'"),
        ({"model": "a", "pooling": "last"}, "'mean', 'first' or 'max'"),
        ({"model": "a", "dropout": 0.1}, "unknown setting"),
    ):
        with pytest.raises(ConfigError, match=said):
            parse(dict[str, EncoderConfig], {"encoder": {"kind": "pretrained", **settings}}, "recipe")


def test_a_folder_has_no_revision(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"encoder\.revision is 'main', and only models on the Hugging Face hub"):
        build(folder, revision="main")


@pytest.mark.parametrize("name", ["nobody/of-this-name", "nobody-of-this-name"])
def test_downloads_that_are_switched_off_are_named(name: str) -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    with pytest.raises(MachineError, match=f"'{name}' is no folder here, and .*HF_HUB_OFFLINE"):
        build(name)


@needs_transformers
def test_no_code_of_a_model_is_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where it names Python files of its own beside a kind that transformers knows, or a kernel on the hub."""
    (folder / "code.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    edit("config.json", auto_map={"AutoConfig": "code.C", "AutoModel": "code.M"}, attn_implementation="evil/kernel")(
        folder
    )
    edit("tokenizer_config.json", auto_map={"AutoTokenizer": ["code.T", None]})(folder)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked whether to run code"))
    for trainable in ("none", "all"):
        assert build(folder, trainable=trainable)
    assert not (folder / "ran").exists()


@needs_transformers
def test_loading_prints_nothing_and_restores_what_transformers_prints(
    folder: Path, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    from transformers.utils import logging as of_transformers

    before = of_transformers.get_verbosity(), of_transformers.is_progress_bar_enabled()
    of_transformers.set_verbosity(logging.INFO)
    of_transformers.enable_progress_bar()
    try:
        for trainable in ("none", "all"):
            build(folder, trainable=trainable)
        (folder / "config.json").write_text("{}")
        with pytest.raises(ModelError):
            build(folder)
        assert of_transformers.get_verbosity() == logging.INFO and of_transformers.is_progress_bar_enabled()
    finally:
        of_transformers.set_verbosity(before[0])
        if not before[1]:
            of_transformers.disable_progress_bar()
    assert capfd.readouterr() == ("", "") and not recwarn.list


def test_importing_textvae_imports_neither_transformers_nor_torch() -> None:
    script = (
        "import sys, textvae; assert not {'torch', 'transformers'} & set(sys.modules); "
        "import textvae.models, textvae.training; assert 'transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def reader_of(folder: Path) -> BackboneReader:
    return load_backbone(find_backbone(str(folder)))[0]


@needs_transformers
def test_the_longest_text_is_what_the_model_says(folder: Path) -> None:
    assert reader_of(folder).longest == 64
    (folder / "sentence_bert_config.json").unlink()
    assert reader_of(folder).longest == 96, "positions"
    edit("tokenizer_config.json", model_max_length=50)(folder)
    assert reader_of(folder).longest == 50
    edit("tokenizer_config.json", model_max_length=10**30)(folder)
    reader = reader_of(folder)
    assert reader.longest == 96 and len(reader(["one " * 500])[0]) == 96


@needs_transformers
def test_weights_in_several_files(folder: Path) -> None:
    whole = load_file(folder / "model.safetensors")
    names, expected = sorted(whole), load_backbone(find_backbone(str(folder)))[1].state_dict()
    (folder / "model.safetensors").unlink()
    parts = {f"model-{i:05d}-of-00002.safetensors": names[i - 1 :: 2] for i in (1, 2)}
    for file, held in parts.items():
        save_file({name: whole[name].clone() for name in held}, folder / file, {"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, held in parts.items() for name in held}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    source = find_backbone(str(folder))
    assert len(source.weights) == 3 and len(source.sha256) == 64
    found = load_backbone(source)[1].state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in whole)


@needs_transformers
@pytest.mark.parametrize("model_type", ["distilbert", "roberta", "mpnet", "electra", "gpt2", "albert", "modernbert"])
def test_other_architectures(model_type: str, folder: Path, tmp_path: Path) -> None:
    """Their sizes, layers, positions and lack of poolers or token types are found without naming them."""
    import transformers

    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
    if model_type == "distilbert":
        sizes = {"dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 12}
    if model_type == "gpt2":
        sizes = {"n_embd": 8, "n_layer": 2, "n_head": 2, "n_inner": 12}
    config = transformers.AutoConfig.for_model(
        model_type, vocab_size=200, max_position_embeddings=40, pad_token_id=1, **sizes
    )
    torch.manual_seed(0)
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path / "other")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, tmp_path / "other")
    texts, results = ["one two three", "seven", "four " * 60], []
    for trainable in ("none", "last", "all"):
        encoder = reading(build(tmp_path / "other", trainable=trainable)).eval()  # type: ignore[type-var]
        rows = [encoder.tokenizer.encode(text) for text in texts]  # type: ignore[union-attr]
        tokens = torch.zeros(3, 70, dtype=torch.int64)
        for row, ids in enumerate(rows):
            tokens[row, : len(ids) + 2] = torch.tensor([1, *ids, 2])
        lengths = torch.tensor([len(ids) + 2 for ids in rows])
        found = encoder(tokens, lengths)
        assert found.shape == (3, 8) and found.isfinite().all()
        torch.testing.assert_close(encoder(tokens[1:2, :3], lengths[1:2]), found[1:2], rtol=1e-4, atol=1e-5)
        results.append(found.detach())
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(results[0], results[2], rtol=1e-4, atol=1e-5)


@needs_transformers
def test_a_model_without_layers_cannot_have_its_last_trained(folder: Path) -> None:
    source = find_backbone(str(folder))
    with pytest.raises(ModelError, match='its last layer is not known; use trainable = "none"'):
        last_layer(torch.nn.Linear(2, 2), source)


# -- The hub -----------------------------------------------------------------------------------------------------------

SCRIPT = """
import json, sys
from textvae.encoders import PretrainedEncoderConfig
from textvae.errors import TextVAEError
answers = []
for name, revision in json.loads(sys.argv[1]):
    try:
        encoder = PretrainedEncoderConfig(model=name, revision=revision).build(vocab_size=11)
        answers.append(["built", encoder.backbone.source.sha256])
    except TextVAEError as error:
        answers.append([type(error).__name__, str(error)])
print(json.dumps(answers))
"""


WHOLE = """
import json, shutil, sys
from tests.components import reading
from textvae.encoders import PretrainedEncoderConfig
from textvae.models import TextVAEConfig, load_model
encoder = PretrainedEncoderConfig(model=sys.argv[1], trainable="all")
model = reading(TextVAEConfig(latent_dim=3, encoder=encoder).build(vocab_size=11, max_tokens=9)).eval()
model.push_to_hub("owner/whole")
shutil.rmtree(sys.argv[1])
texts = ["one two", "seven"]
print(json.dumps([[one.encode(texts).tolist() for one in (model, load_model("owner/whole"))]]))
"""


def of_hub(home: Path, hub: str, *asked: tuple[str, str | None]) -> list[tuple[str, str]]:
    return [tuple(answer) for answer in _printed(home, hub, SCRIPT, json.dumps(asked))]


def _printed(home: Path, hub: str, script: str, *arguments: str) -> list[list[str]]:
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"HF_ENDPOINT": hub, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    environment |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    if script == WHOLE:
        environment["HF_TOKEN"] = "hf_owner"
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@needs_transformers
def test_a_model_of_the_hub(folder: Path, tmp_path: Path) -> None:
    """Only files without code are downloaded; what was downloaded once needs no hub."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    more = {
        "pytorch_model.bin": b"pickle",
        "code.py": b"code",
        "onnx/model.onnx": b"large",
        "1_Pooling/config.json": b"{}",
    }
    with served() as hub:
        repository = hub.add("owner/bert", {**files, **more})
        first = repository.main
        other = write_backbone(tmp_path / "other", seed=1)
        changed = hub.add("owner/changed", {path.name: path.read_bytes() for path in other.iterdir()})
        repository.commit(changed.files, "other weights")
        hub.add("owner/gated", files, gated=True)
        hub.add("owner/pickled", {name: content for name, content in files.items() if name != "model.safetensors"})
        hub.add("owner/empty", {".gitattributes": b""})
        asked = [("owner/bert", first), ("owner/bert", None), ("owner/bert", "v9"), ("owner/gated", None)]
        asked += [("owner/pickled", None), ("owner/empty", None), ("owner/none", None), ("not a name!", None)]
        answers = of_hub(tmp_path / "home", hub.url, *asked)
        paths = _downloads(hub)
    shas = [find_backbone(str(path)).sha256 for path in (folder, other)]
    assert answers[:2] == [("built", shas[0]), ("built", shas[1])]
    said = {name: answer for (name, _), answer in zip(asked[2:], answers[2:], strict=True)}
    assert {kind for kind, _ in said.values()} == {"ModelError"}
    for name, part in {
        "owner/bert": "no such revision",
        "owner/gated": "have to grant access",
        "owner/pickled": "has no model.safetensors",
        "owner/empty": "has no config.json",
        "owner/none": "has no such model",
        "not a name!": "takes no such name",
    }.items():
        assert part in said[name][1] and said[name][1].endswith("."), said[name]
    assert not [path for path in paths if any(name in path for name in more)]
    answers = of_hub(tmp_path / "home", hub.url, ("owner/bert", None), ("owner/other", None))
    assert answers[0] == ("built", shas[1])
    assert answers[1][0] == "MachineError" and "could not be reached" in answers[1][1]


@needs_transformers
def test_a_whole_model_on_the_hub(folder: Path, tmp_path: Path) -> None:
    """Its encoder's files are pushed and downloaded with it."""
    with served() as hub:
        [[before, after]] = _printed(tmp_path / "home", hub.url, WHOLE, str(folder))
        assert {name for name in hub.repositories["owner/whole"].files if name.startswith("encoder/")} == {
            *("encoder/config.json", "encoder/sentence_bert_config.json"),
            *("encoder/tokenizer.json", "encoder/tokenizer_config.json"),
        }
    assert before == after


def _downloads(hub: Endpoint) -> list[str]:
    return [path for _, path in hub.asked if "/resolve/" in path]
