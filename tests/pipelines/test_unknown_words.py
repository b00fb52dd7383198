"""A corpus with many unknown words, whose sentences are cut: no stage and no page shows the unknown token."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.contracts.test_commands import run
from tests.tiny_corpus import SETTINGS, write_tiny


def test_no_page_and_no_answer_shows_the_unknown_token(tmp_path: Path) -> None:
    decoding = {"kind": "sample", "allow_unk": True}
    settings = {
        **SETTINGS,
        "tokenize": {"max_tokens": 7, "tokenizer": {"kind": "word", "vocab_size": 16}},
        "evaluate": {**SETTINGS["evaluate"], "samples": 12, "decoding": decoding, "reconstruct_decoding": decoding},
        "interpolate": {"count": 4, "steps": 3, "decoding": decoding},
        "train": {**SETTINGS["train"], "epochs": 1},
    }
    recipe = write_tiny(tmp_path, settings, sentences=100)
    rng = random.Random(0)
    rows = (tmp_path / "text.tsv").read_text().splitlines()
    # A mark after the word at which the sentence is cut: the stored text has it, the tokens have not.
    said = [f"{row.replace(' is', ', is')} Zorb{rng.randint(0, 99)}, quux{rng.randint(0, 99)}!" for row in rows[1:]]
    (tmp_path / "text.tsv").write_text("\n".join([rows[0], *said]) + "\n")
    out = tmp_path / "run"
    code, _, err = run("run", str(recipe), "--out", str(out))
    assert code == 0, err
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "&lt;unk" not in page and "<unk>" not in page and "[unknown word]" in page
    assert "<unk>" not in err and "<unk>" not in (out / "report.json").read_text()
    details = {path.parent.name: json.loads(path.read_text()) for path in out.glob("*/details.json")}
    assert "<unk>" not in json.dumps(details)
    # Sentences of the corpus are as they are written.
    given = {row.split("\t")[1] for row in said}
    for made in details["evaluate"]["reconstructions"]:
        assert any(text.startswith(made["text"]) for text in given)
    for path in details["interpolate"]["paths"]:
        assert any(text.startswith(path["start"]) for text in given)
    assert "Zorb" in json.dumps(details["interpolate"]) and "Zorb" in json.dumps(details["evaluate"])
