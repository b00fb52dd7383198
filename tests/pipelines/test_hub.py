"""A model goes to the hub and comes back the same; only our files travel; what does not work is one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hub_endpoint import Endpoint, served
from tests.pipelines.hub_script import CLASSIFIER, OURS, PRIVATE
from textvae.errors import MachineError
from textvae.models import load_model
from textvae.models.card import LICENCES, licence_id

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "tests" / "fixtures" / "format_1" / "run"
MODEL_FILES = {"README.md", "config.json", "model.safetensors", "tokenizer/tokenizer.json"}
EDITED = b"---\nlicense: mit\n---\n# Mine\n"


@dataclass(frozen=True)
class Story:
    """What happened: the owner pushed, somebody without a token loaded, and then the hub was gone.

    Attributes:
        hub: as it was left.
        pushed: the outcomes of the owner's steps.
        loaded: the outcomes of the reader's steps.
        alone: those of the steps without a hub.
        asked: what the hub was asked for by the reader.
        cache: the reader's.
    """

    hub: Endpoint
    pushed: dict[str, dict[str, Any]]
    loaded: dict[str, dict[str, Any]]
    alone: dict[str, dict[str, Any]]
    asked: list[tuple[str, str]]
    cache: Path


def outcomes(home: Path, endpoint: str, *arguments: str, token: str | None = None) -> dict[str, dict[str, Any]]:
    """What the script prints, with its caches in a folder of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("HF_TOKEN", None)
    if token is not None:
        environment["HF_TOKEN"] = token
    command = [sys.executable, "-m", "tests.pipelines.hub_script", *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    home = tmp_path_factory.mktemp("hub")
    kept = {name: (RUN / "train" / "model" / name).read_bytes() for name in MODEL_FILES}
    with served() as hub:
        # As an owner may have pushed it, and worked on it since.
        edited = hub.add("owner/edited", {**kept, "tokenizer/spiece.model": b"old", "notes.md": b"mine"})
        first = edited.main
        edited.commit({**edited.files, "README.md": EDITED}, "My own words")
        hub.add("owner/gated", kept, gated=True)
        hub.add("owner/broken", kept, broken=True)
        weights = {"model.safetensors": b"large", "pytorch_model.bin": b"larger"}
        hub.add("owner/foreign", {"config.json": b'{"architectures": ["GPT2"]}', **weights})
        hub.add("owner/empty", {".gitattributes": b""})
        pushed = outcomes(home / "owner", hub.url, "push", str(RUN), token="hf_owner")
        # A pickle that somebody put beside a model of ours.
        hub.repositories[OURS].commit({**hub.repositories[OURS].files, "pytorch_model.bin": b"pickle"}, "a pickle")
        hub.asked.clear()
        loaded = outcomes(home / "reader", hub.url, "load", first)
        asked = list(hub.asked)
    alone = outcomes(home / "reader", hub.url, "again", token="hf_owner")
    return Story(hub, pushed, loaded, alone, asked, home / "reader")


def test_a_model_comes_back_as_it_was(story: Story) -> None:
    """Its weights, its facts and the sentences that it makes, from links into a cache that was empty."""
    assert story.pushed["push"]["value"] == f"{story.hub.url}/{OURS}"
    assert story.loaded["load"] == story.loaded["load any"] == story.pushed["known"]
    assert story.loaded["load the classifier"] == story.loaded["load any classifier"]
    assert story.loaded["load the classifier"] == story.pushed["classifier known"]
    assert story.pushed["known"]["value"]["card"]["corpus"] == "verses"
    assert any(path.is_symlink() for path in story.cache.rglob("model.safetensors"))


def test_only_the_files_of_the_model_are_pushed(story: Story) -> None:
    for name in (OURS, CLASSIFIER, PRIVATE):
        first = next(files for files in story.hub.repositories[name].commits.values() if "config.json" in files)
        assert set(first) == MODEL_FILES | {".gitattributes"}
        config = json.loads(first["config.json"])
        assert set(config["files"]) == MODEL_FILES - {"config.json"}


def test_a_push_is_one_commit_and_the_same_model_none(story: Story) -> None:
    assert story.hub.repositories[OURS].titles == ["initial commit", "Verses", "a pickle"]
    assert story.pushed["push again"]["value"] == story.pushed["push"]["value"]


def test_the_card_has_its_metadata_and_the_facts(story: Story) -> None:
    card = story.hub.repositories[CLASSIFIER].files["README.md"].decode()
    _, head, text = card.split("---\n", 2)
    data = yaml.safe_load(head)
    assert data == {
        "library_name": "textvae",
        "pipeline_tag": "text-classification",
        "license": "other",
        "license_name": "public-domain",
        "tags": ["textvae", "semi-supervised", "variational-autoencoder"],
    }
    assert "- corpus: verses\n" in text and "- licence: public domain\n" in text
    (code,) = [part.split("```")[0] for part in text.split("```python\n")[1:]]
    assert f'load_model("{CLASSIFIER}")' in code
    compile(code, "card", "exec")
    vae = yaml.safe_load(story.hub.repositories[OURS].files["README.md"].decode().split("---\n", 2)[1])
    assert vae["pipeline_tag"] == "text-generation"


def test_what_somebody_wrote_on_the_hub_stays(story: Story) -> None:
    """A model card that was changed, and other files; not a file of an older tokenizer, which would be read."""
    outcome, files = story.pushed["push over changes"], story.hub.repositories["owner/edited"].files
    assert "value" in outcome
    assert "README.md of 'owner/edited' was not written by textvae, and was left as it is." in outcome["warned"]
    assert files["README.md"] == EDITED and files["notes.md"] == b"mine"
    assert set(files) == MODEL_FILES | {"notes.md"}
    assert not [said for said in story.pushed["push"]["warned"] if "README" in said]


def test_a_commit_is_loaded_by_its_id(story: Story) -> None:
    assert story.loaded["load a commit"]["value"]["weights"] == story.pushed["known"]["value"]["weights"]
    assert story.loaded["load its last"]["value"]["weights"] == story.pushed["changed known"]["value"]["weights"]


def test_no_pickle_is_downloaded_and_nothing_of_another_librarys_model(story: Story) -> None:
    paths = [path for method, path in story.asked if method == "GET" and "/resolve/" in path]
    assert not [path for path in paths if path.endswith(".bin")]
    assert {path.rpartition("/")[2] for path in paths if "/foreign/" in path} == {"config.json"}
    assert not list(story.cache.rglob("*.bin"))


def test_no_token_leaves_the_hub(story: Story) -> None:
    assert not story.hub.leaked
    assert story.hub.storage


ERRORS = {
    ("pushed", "push in private over a public one"): ("ModelError", "was not pushed: it is public"),
    ("pushed", "push without a name"): ("ModelError", "takes no such name; give OWNER/NAME"),
    ("pushed", "push under a bad name"): ("ModelError", "takes no such name; give OWNER/NAME"),
    ("pushed", "push as a reader"): ("ModelError", "does not allow it with this token"),
    ("pushed", "push a new one as a reader"): ("ModelError", "does not allow it with this token"),
    ("pushed", "push as nobody"): ("ModelError", "does not know the token"),
    ("loaded", "no revision"): ("ModelError", "has no such revision"),
    ("loaded", "another kind"): ("ModelError", "holds a 'text_vae' model, expected 'language_model'"),
    ("loaded", "no classifier"): ("ModelError", "holds a 'text_vae' model, expected 'semi_supervised'"),
    ("loaded", "none"): ("ModelError", "'owner/nothing' is no folder here, and the Hugging Face hub has no such model"),
    ("loaded", "private"): ("ModelError", "has no such model, or it is private"),
    ("loaded", "gated"): ("ModelError", "have to grant access"),
    ("loaded", "another library's"): ("ModelError", "is not one of textvae's"),
    ("loaded", "without a config"): ("ModelError", "is not one of textvae's"),
    ("loaded", "bad name"): ("ModelError", "takes no such name; give OWNER/NAME"),
    ("loaded", "broken"): ("MachineError", "could not be reached or did not answer (status 503)"),
    ("alone", "none"): ("MachineError", "could not be reached or did not answer (Connect"),
    ("alone", "push"): ("MachineError", "'owner/verses' was not pushed: the Hugging Face hub could not be reached"),
}


@pytest.mark.parametrize(("who", "step"), ERRORS)
def test_what_does_not_work_is_said_in_one_sentence(who: str, step: str, story: Story) -> None:
    kind, said = ERRORS[who, step]
    outcome = {"pushed": story.pushed, "loaded": story.loaded, "alone": story.alone}[who][step]
    assert outcome.get("error") == kind, outcome
    assert said in outcome["said"] and "\n" not in outcome["said"] and outcome["said"].endswith(".")


def test_every_step_was_looked_at(story: Story) -> None:
    failed = {
        (who, step)
        for who, found in (("pushed", story.pushed), ("loaded", story.loaded), ("alone", story.alone))
        for step, outcome in found.items()
        if "error" in outcome
    }
    assert failed == set(ERRORS)
    assert "owner/new" not in story.hub.repositories
    assert story.hub.repositories[PRIVATE].private
    assert story.pushed["private"] == story.pushed["known"]


def test_what_was_loaded_once_needs_no_hub(story: Story) -> None:
    assert story.alone["load"] == story.loaded["load"]


def test_downloads_that_are_switched_off_are_named() -> None:
    """As in all tests but those with an endpoint of their own."""
    with pytest.raises(MachineError, match="HF_HUB_OFFLINE keeps textvae from asking"):
        load_model("nobody-of-this-name/verses")


def test_licences_of_corpora_are_named_as_on_the_hub() -> None:
    assert [licence_id(name) for name in ("CC BY 4.0", "MIT License", "cc0-1.0", "GPL 3.0")] == [
        "cc-by-4.0",
        "mit",
        "cc0-1.0",
        "gpl-3.0",
    ]
    assert all(licence_id(name.upper().replace("-", " ")) == name for name in LICENCES)
    assert {licence_id(name) for name in ("", "none stated; cite the paper", "LDC text, research only")} == {"other"}
