"""Random numbers of a sentence: what is drawn for one purpose is not drawn again for another."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import numpy as np

import textvae.evaluation
import textvae.tasks
from textvae.evaluation.noise import BLOCKS, Stream, sentence_seeds

IN_BLOCKS = {Stream.LIKELIHOOD, Stream.UNSENT_LEVELS}


def test_streams_do_not_reach_into_one_another() -> None:
    starts = sorted(Stream)
    assert len(starts) == len(Stream.__members__), "two names of one number"
    for one, after in itertools.pairwise(starts):
        assert after - one >= (BLOCKS if one in IN_BLOCKS else 1), (one.name, after.name)


def test_every_stream_seeds_every_sentence_otherwise() -> None:
    seeds = [seed for stream in Stream for seed in sentence_seeds(0, np.arange(50), stream)]
    assert len(set(seeds)) == 50 * len(Stream)


def test_every_draw_of_an_evaluation_or_a_task_names_its_stream() -> None:
    """No number is written where a draw is made, and what is drawn by the block is known to be."""
    folders, found = [Path(part.__file__).parent for part in (textvae.evaluation, textvae.tasks)], set()
    for path in (path for folder in folders for path in folder.glob("*.py")):
        if path.name == "noise.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") in _DRAWS):
                continue
            given = next((keyword.value for keyword in node.keywords if keyword.arg == "stream"), None)
            given = node.args[2] if given is None and node.func.id == "sentence_seeds" else given
            start = given.left if isinstance(given, ast.BinOp) else given
            assert isinstance(start, ast.Attribute) and getattr(start.value, "id", "") == "Stream", (path, node.lineno)
            found.add(Stream[start.attr])
            assert (Stream[start.attr] in IN_BLOCKS) == isinstance(given, ast.BinOp), (path, node.lineno)
    assert found == set(Stream)


_DRAWS = {"draw", "draw_codes", "sentence_seeds"}
