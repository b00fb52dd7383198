"""Hostile model folders, used by every command: changed settings, weights and tokenizers; missing or odd files."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from benchmarks.faults import nasty
from benchmarks.faults.arguments import BLANKS, SENTENCES
from benchmarks.faults.case import Case, Family, Place, make_odd

KINDS = ("train", "classify")


def _copy(place: Place) -> tuple[Path, Case]:
    """A model of the run to be spoiled, alone or in its run, and a command that uses it."""
    stage = place.rng.choice((*KINDS, "train"))
    whole = place.chance(0.3)
    if whole:
        shutil.copytree(place.run, place.work / "run")
        model, named = place.work / "run" / stage / "model", "run"
    else:
        model, named = place.work / "model", "model"
        shutil.copytree(place.run / stage / "model", model)
    sentences = {"impute": BLANKS[:2], "interpolate": SENTENCES[:2]}
    name = place.rng.choice(("generate", "reconstruct", "interpolate", "impute", "classify", "evaluate"))
    line = [name, named, *(sentences.get(name, SENTENCES[:1]) if name not in ("generate", "evaluate") else ())]
    line += ["-n", "2"] if name in ("generate", "impute") else []
    if name == "evaluate" and not whole:
        place.write("sentences.txt", "\n".join(SENTENCES) + "\n")
        line += ["--file", "sentences.txt"]
    line += ["--json"] if place.chance(0.6) else []
    return model, Case(line)


def config_values(place: Place) -> Case:
    model, case = _copy(place)
    path = model / "config.json"
    tree = json.loads(path.read_text())
    for _ in range(place.rng.choice((1, 1, 2, 4))):
        tree = nasty.mutated(tree, place.rng, [tree], place.drawn(nasty.value))
    path.write_text(json.dumps(tree, default=str, ensure_ascii=place.chance(0.5)), "utf-8", "surrogatepass")
    return case


def config_bytes(place: Place) -> Case:
    model, case = _copy(place)
    path = model / "config.json"
    content = nasty.broken_bytes(path.read_bytes(), place.rng)
    if place.chance(0.1):
        content = nasty.deep(place.rng).encode()
    path.write_bytes(content)
    return case


def weights_bytes(place: Place) -> Case:
    """Weights cut off, or with bits changed in the header or in the numbers."""
    model, case = _copy(place)
    path = model / "model.safetensors"
    content = bytearray(path.read_bytes())
    header = 8 + struct.unpack("<Q", content[:8])[0]
    change = place.rng.randrange(5)
    if change == 0:
        content = content[: place.rng.choice((place.rng.randrange(len(content)), place.rng.randrange(header), 0))]
    elif change == 1:
        for _ in range(place.rng.choice((1, 1, 3))):
            content[place.rng.randrange(header)] ^= 1 << place.rng.randrange(8)
    elif change == 2:
        content = bytearray(nasty.broken_bytes(bytes(content[:header]), place.rng)) + content[header:]
    elif change == 3:
        for _ in range(place.rng.choice((1, 10, 1000))):
            content[place.rng.randrange(header, len(content))] ^= 1 << place.rng.randrange(8)
    else:
        content[:8] = struct.pack("<Q", place.rng.choice((0, 1, 2**63, 2**64 - 1, len(content), header * 2)))
    path.write_bytes(bytes(content))
    return case


def weights_numbers(place: Place) -> Case:
    """Numbers that are none, or too large, among the weights."""
    model, case = _copy(place)
    path = model / "model.safetensors"
    tensors = load_file(str(path))
    for name in place.rng.sample(sorted(tensors), place.rng.choice((1, 2, len(tensors)))):
        number = place.rng.choice((float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 1e-45, 0.0, 1e10, -1e4))
        flat = tensors[name].flatten()
        share = place.rng.choice((1, len(flat)))
        where = place.rng.randrange(len(flat) - share + 1) if len(flat) else 0
        flat[where : where + share] = number
        tensors[name] = flat.view(tensors[name].shape)
    save_file(tensors, str(path))
    return case


def weights_tensors(place: Place) -> Case:
    """Tensors of another type or shape, missing, renamed, exchanged, or too many."""
    model, case = _copy(place)
    path = model / "model.safetensors"
    tensors: dict[str, Any] = load_file(str(path))
    for _ in range(place.rng.choice((1, 1, 2))):
        name = place.rng.choice(sorted(tensors))
        tensor = tensors[name]
        change = place.rng.randrange(7)
        if change == 0:
            kinds = (torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.int64, torch.bool, torch.uint8)
            tensors[name] = tensor.to(place.rng.choice(kinds))
        elif change == 1:
            del tensors[name]
        elif change == 2:
            renamed = place.rng.choice((name + "s", "", "a" * 300, "\x1b[31m", *nasty.TEXTS[:6]))
            tensors[renamed] = tensors.pop(name)
        elif change == 3:
            shapes = ((-1,), (1, -1), (*reversed(tensor.shape),), (*tensor.shape, 1))
            tensors[name] = tensor.reshape(place.rng.choice(shapes)).contiguous()
        elif change == 4:
            tensors["more"] = torch.zeros(place.rng.choice(((), (0,), (3, 3))))
        elif change == 5:
            other = place.rng.choice(sorted(tensors))
            tensors[name], tensors[other] = tensors[other].clone(), tensors[name].clone()
        else:
            tensors[name] = torch.zeros(place.rng.choice(((0,), (1,), (2000, 50))))
    save_file(tensors, str(path))
    return case


def tokenizers(place: Place) -> Case:
    """A tokenizer of another vocabulary, of another kind, or none."""
    model, case = _copy(place)
    path = model / "tokenizer" / "tokenizer.json"
    tree = json.loads(path.read_text())
    change = place.rng.randrange(4)
    if change == 0:
        path.write_bytes(nasty.broken_bytes(path.read_bytes(), place.rng))
    elif change == 1:
        path.write_text(nasty.deep(place.rng))
    else:
        for _ in range(place.rng.choice((1, 1, 3))):
            tree = nasty.mutated(tree, place.rng, [tree], place.drawn(nasty.value))
        lists = [inner for inner in tree.values() if isinstance(inner, list)] if isinstance(tree, dict) else []
        if change == 3 and lists:
            words = place.rng.choice(lists)
            words[:] = place.rng.choice((words[:-3], words * 2, [*words, *map(str, range(50))], words[::-1], []))
        path.write_text(json.dumps(tree, default=str), "utf-8", "surrogatepass")
    return case


def files_replaced(place: Place) -> Case:
    """Files that are missing, empty, unreadable, folders, pipes, endless, or links to themselves."""
    model, case = _copy(place)
    make_odd(place.work)
    root = place.work / "run" if (place.work / "run").exists() and place.chance(0.5) else model
    files = sorted(path for path in root.rglob("*") if path.is_file())
    for path in place.rng.sample(files, place.rng.choice((1, 1, 2))):
        odd = place.rng.choice(("folder", "pipe", "loop", "zero", "dangling", "empty", "locked", "binary", "gone"))
        path.unlink()
        if odd == "loop":
            path.symlink_to(path.name)
        elif odd != "gone":
            path.symlink_to(place.work / odd)
    if place.chance(0.1):
        shutil.rmtree(model / "tokenizer", ignore_errors=True)
    return case


def run_files(place: Place) -> Case:
    """The other files of a run folder: manifests, tokenized texts, what the recipe was."""
    _, case = _copy(place)
    if not (place.work / "run").exists():
        shutil.copytree(place.run, place.work / "run")
    line = ["run" if part == "model" else part for part in case.arguments]
    files = (
        "recipe.json",
        "tokenize/manifest.json",
        "tokenize/test.arrow",
        "tokenize/train.arrow",
        "train/manifest.json",
    )
    path = place.work / "run" / place.rng.choice(files)
    if path.suffix == ".json" and place.chance(0.6):
        tree = nasty.mutated(json.loads(path.read_text()), place.rng, (), place.drawn(nasty.value))
        path.write_text(json.dumps(tree, default=str), "utf-8", "surrogatepass")
    else:
        path.write_bytes(nasty.broken_bytes(path.read_bytes(), place.rng))
    if "--file" in line and place.chance(0.8):
        at = line.index("--file")
        del line[at : at + 2]
    return Case(line)


MODELS: dict[str, tuple[int, Family]] = {
    "settings changed": (4, config_values),
    "bytes of the settings changed": (2, config_bytes),
    "bytes of the weights changed": (3, weights_bytes),
    "numbers of the weights": (3, weights_numbers),
    "tensors": (3, weights_tensors),
    "tokenizer": (3, tokenizers),
    "files replaced": (3, files_replaced),
    "other files of the run": (2, run_files),
}
"""Family -> its share, and what makes a case of it."""
