"""Saves a model over another one in child processes, each of which dies at another file operation.

Arguments: a folder. After every death the folder must hold the old model or the new one, whole, and take the new one
when it is saved again; files of a user's in it stay. Prints how many deaths there were.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from tests.theorems.killing import killed
from textvae.disk import MARKER
from textvae.models import TextVAE, TextVAEConfig
from textvae.text.tokenizers import BPEConfig, WordConfig

TEXTS = ["the cat sees the sea", "a dog eats bread"]


def model(seed: int, tokenizer: Any) -> TextVAE:
    torch.manual_seed(seed)
    part = {"kind": "gru", "embedding_dim": 3, "hidden_dim": 4}
    settings = TextVAEConfig.model_validate({"latent_dim": 2, "encoder": part, "decoder": part})
    made = settings.build(vocab_size=tokenizer.vocab_size, max_tokens=9)
    made.tokenizer = tokenizer
    return made.eval()


def main(home: Path) -> None:
    torch.set_num_threads(1)
    old = model(0, WordConfig(vocab_size=30).train(TEXTS))
    new = model(1, BPEConfig(vocab_size=30).train(TEXTS))
    none = model(2, WordConfig(vocab_size=30).train(TEXTS))
    none.tokenizer = None
    deaths = 0
    for after, beside in ((new, True), (none, True), (new, False)):
        last = 0
        while True:
            last += 1
            folder = home / "folder" / "model"
            shutil.rmtree(folder.parent, ignore_errors=True)
            folder.parent.mkdir()
            if beside:
                old.save_pretrained(folder)
                (folder / "notes.txt").write_text("mine")
            if not killed(lambda: after.save_pretrained(folder), folder.parent, last):  # noqa: B023
                break
            deaths += 1
            if beside or folder.exists():
                check(folder, (old, after))
            after.save_pretrained(folder)
            check(folder, (after,))
            assert not beside or (folder / "notes.txt").read_text() == "mine"
            # A folder that died before its marker was written is empty, and nobody can say whose it is.
            left = [path for path in folder.parent.rglob(".textvae-*") if (path / MARKER).exists()]
            assert not left, f"nothing unfinished stays: {left}"
        assert last > 5
    print(deaths)


def check(folder: Path, among: tuple[TextVAE, ...]) -> None:
    """The folder holds one of these models, with its own tokenizer or with none."""
    found = TextVAE.from_pretrained(folder)
    for one in among:
        same = found.state_dict().keys() == one.state_dict().keys() and all(
            value.shape == one.state_dict()[name].shape and torch.equal(value, one.state_dict()[name])
            for name, value in found.state_dict().items()
        )
        if same:
            ours, theirs = one.tokenizer, found.tokenizer
            assert (ours is None) == (theirs is None)
            assert (
                ours is None
                or theirs is None
                or (ours.kind, ours.encode_batch(TEXTS))
                == (
                    theirs.kind,
                    theirs.encode_batch(TEXTS),
                )
            )
            return
    raise AssertionError("neither the old model nor the new one")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
