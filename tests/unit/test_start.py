"""A command starts without what only compiled training needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from textvae.models import TextVAEConfig
from textvae.text.tokenizers import WordConfig

SCRIPT = """
import sys
from textvae.mapping import map_file
map_file("model", "in.txt", "out.jsonl")
assert "torch._dynamo" not in sys.modules, "the compiler of torch takes a second to import"
"""


def test_using_a_model_does_not_import_the_compiler(tmp_path: Path) -> None:
    model = TextVAEConfig.model_validate({"latent_dim": 2, "encoder": {"kind": "transformer"}}).build(
        vocab_size=7, max_tokens=5
    )
    model.tokenizer = WordConfig(vocab_size=7).train(["a cat sat"])
    model.save_pretrained(tmp_path / "model")
    (tmp_path / "in.txt").write_text("a cat sat\n")
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr[-2000:]
