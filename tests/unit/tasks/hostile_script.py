"""Calls the package as someone in a notebook may, and prints what came of each case as JSON.

A process of its own: under pytest every annotated function checks its arguments' types first, and so would never be
asked.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from textvae import fit, run
from textvae.decoders import LSTMDecoderConfig
from textvae.encoders import LSTMEncoderConfig
from textvae.errors import TextVAEError
from textvae.evaluation import evaluate, likelihood
from textvae.generation import BeamConfig, SamplingConfig
from textvae.models import LanguageModelConfig, SemiSupervisedConfig, TextVAEConfig
from textvae.pipeline.new import new_recipe
from textvae.tasks import generate_sentences, impute, impute_accuracy, interpolate, markov_chain, reconstruct
from textvae.tasks.classify import classify
from textvae.text.tokenizers import WordConfig
from textvae.types import Context

TEXTS = ["I love you.", "The dog sleeps.", "The cat and the dog love you."] * 4
TOKENIZER = WordConfig(vocab_size=40).train(TEXTS)
SIZES = {"vocab_size": TOKENIZER.vocab_size, "max_tokens": 12}
ENCODER, DECODER = (
    LSTMEncoderConfig(embedding_dim=8, hidden_dim=8),
    LSTMDecoderConfig(embedding_dim=8, hidden_dim=8),
)
torch.manual_seed(0)
VAE = TextVAEConfig(latent_dim=4, encoder=ENCODER, decoder=DECODER).build(**SIZES)
CLASSIFIER = SemiSupervisedConfig(latent_dim=4, encoder=ENCODER, decoder=DECODER).build(**SIZES, label_names=("a", "b"))
LM = LanguageModelConfig(decoder=DECODER).build(**SIZES)
for model in (VAE, CLASSIFIER, LM):
    model.tokenizer = TOKENIZER

NO_TEXTS: dict[str, Any] = {
    "none": None,
    "number": 3,
    "numbers": [1, 2],
    "string": "I love you.",
    "bytes": b"I love you.",
    "list of bytes": [b"I love you."],
    "empty": [],
    "none among them": ["I love you.", None],
    "nested": [["I love you."]],
    "surrogate": ["\ud800 love"],
    "nul": ["love\0you"],
    "mapping": {"I love you.": 1},
    "array of numbers": np.zeros(3),
    "array without dimensions": np.array("I love you."),
    "too long": ["love " * 50],
    "blank": [" \n"],
}
NO_CODES: dict[str, Any] = {
    "none": None,
    "string": "codes",
    "strings": [["1", "2", "3", "4"]],
    "one code": torch.zeros(4),
    "one code as a list": [0.0] * 4,
    "wrong width": np.zeros((2, 5)),
    "three axes": torch.zeros(1, 2, 4),
    "nan": np.full((1, 4), np.nan),
    "infinity": [[0.0, 0.0, 0.0, float("inf")]],
    "too large": np.full((1, 4), 1e300),
    "ragged": [[1.0, 2.0], [3.0]],
    "booleans": torch.ones(1, 4, dtype=torch.bool),
    "complex": torch.ones(1, 4, dtype=torch.complex64),
    "objects": [[None] * 4],
    "number": 1.0,
    "sparse": torch.zeros(1, 4).to_sparse(),
    "without storage": torch.zeros(1, 4, device="meta"),
}
CODES: dict[str, Any] = {
    "float64": torch.zeros(2, 4, dtype=torch.float64),
    "float16": torch.zeros(2, 4, dtype=torch.float16),
    "integers": torch.zeros(2, 4, dtype=torch.int64),
    "array": np.zeros((2, 4)),
    "array of integers": np.zeros((2, 4), dtype=np.int8),
    "array backwards": np.zeros((2, 4))[::-1],
    "big-endian": np.zeros((2, 4), dtype=">f4"),
    "lists": [[0.0] * 4, [0] * 4],
    "list of tensors": [torch.zeros(4), torch.zeros(4)],
    "with a gradient": torch.zeros(2, 4, requires_grad=True),
}
NO_SEEDS: dict[str, Any] = {
    "negative": -1,
    "too large": 2**63,
    "float": 1.0,
    "boolean": True,
    "none": None,
    "text": "1",
}
WITH_SEED: dict[str, Callable[[Any], Any]] = {
    "generate": lambda seed: generate_sentences(VAE, 1, seed=seed),
    "reconstruct": lambda seed: reconstruct(VAE, ["I love you."], seed=seed),
    "interpolate": lambda seed: interpolate(VAE, "I love you.", "The dog sleeps.", seed=seed),
    "markov_chain": lambda seed: markov_chain(VAE, ["I love you."], 1, seed=seed),
    "impute": lambda seed: impute(VAE, ["I ___ you."], seed=seed),
    "impute_accuracy": lambda seed: impute_accuracy(VAE, TEXTS, TEXTS, sentences=1, seed=seed),
    "evaluate": lambda seed: evaluate(VAE, None, seed=seed),  # type: ignore[arg-type]
    "likelihood": lambda seed: likelihood(VAE, None, num_samples=1, seed=seed),  # type: ignore[arg-type]
}


def cases(folder: Path) -> dict[str, Callable[[], Any]]:
    """What is tried, by name: `refused ...` must raise a TextVAEError, `works ...` must not."""
    twenty = [f"text number {i}" for i in range(20)]
    tried: dict[str, Callable[[], Any]] = {}
    for name, texts in NO_TEXTS.items():
        tried |= {
            f"refused encode {name}": lambda t=texts: VAE.encode(t),
            f"refused predict {name}": lambda t=texts: CLASSIFIER.predict(t),
            f"refused classify {name}": lambda t=texts: classify(CLASSIFIER, t),
            f"refused reconstruct {name}": lambda t=texts: reconstruct(VAE, t),
            f"refused markov_chain {name}": lambda t=texts: markov_chain(VAE, t, 1),
            f"refused impute {name}": lambda t=texts: impute(VAE, t),
            f"refused fit {name}": lambda t=texts: fit(t, out=folder),
        }
    for name, codes in NO_CODES.items():
        tried[f"refused decode {name}"] = lambda c=codes: VAE.decode(c)
    for name, codes in CODES.items():
        tried[f"works decode {name}"] = lambda c=codes: VAE.decode(c)
    for name, seed in NO_SEEDS.items():
        for task, call in WITH_SEED.items():
            tried[f"refused {task} seed {name}"] = lambda c=call, s=seed: c(s)
    for name, minutes in {
        "inf": float("inf"),
        "nan": float("nan"),
        "negative": -1,
        "1e300": 1e300,
        "text": "5",
    }.items():
        tried[f"refused fit minutes {name}"] = lambda m=minutes: fit(twenty, minutes=m, out=folder)
        tried[f"refused new minutes {name}"] = lambda m=minutes: new_recipe("none.txt", minutes=m)
    for name, labels in {"another number": ["a"], "text": "a" * 20, "floats": [0.5] * 20, "number": 3}.items():
        tried[f"refused fit labels {name}"] = lambda y=labels: fit(twenty, y, out=folder)
    for name, pair in {"none": (None, "a"), "list": (["a"], "b"), "number": ("I love you.", 3)}.items():
        tried[f"refused interpolate {name}"] = lambda p=pair: interpolate(VAE, *p)
    for name, steps in {"one": 1, "many": 10**9, "float": 3.0, "boolean": True}.items():
        tried[f"refused interpolate steps {name}"] = lambda s=steps: interpolate(
            VAE, "I love you.", "The dog sleeps.", steps=s
        )
    for name, search in {
        "answers": {"answers": 10**9},
        "width": {"width": 10**6},
        "samples": {"samples": 10**9},
        "rounds": {"rounds": 0},
        "product": {"width": 1000, "expand": 1000},
        "boolean": {"answers": True},
    }.items():
        tried[f"refused impute {name} of a search"] = lambda s=search: impute(VAE, ["I ___ you."], **s)
    for name, recipe in {"none": None, "number": 3, "numbers": {1: 2}, "list": ["demo"], "empty": {}}.items():
        tried[f"refused run {name}"] = lambda r=recipe: run(r, out=folder)
    tried |= {
        "refused fit duplicates": lambda: fit(["one text"] * 200, out=folder),
        "refused fit few": lambda: fit(twenty[:19] * 10, out=folder),
        "refused decoding of no kind": lambda: VAE.decode(torch.zeros(1, 4), decoding="beams"),
        "refused decoding of no settings": lambda: VAE.decode(torch.zeros(1, 4), decoding={"kind": "beam", "wide": 3}),
        "refused decoding list": lambda: VAE.decode(torch.zeros(1, 4), decoding=["beam"]),  # type: ignore[arg-type]
        "works decode by a kind": lambda: VAE.decode(torch.zeros(1, 4), decoding="beam"),
        "refused decode without labels": lambda: CLASSIFIER.decode(torch.zeros(2, 4)),
        "refused decode labels of others": lambda: CLASSIFIER.decode(
            torch.zeros(2, 4), context=Context(label_B=torch.tensor([0, 2]))
        ),
        "refused markov_chain steps": lambda: markov_chain(VAE, ["I love you."], 10**9),
        "works decode nothing": lambda: VAE.decode(torch.zeros(0, 4)),
        "works decode an empty list": lambda: VAE.decode([]),
        "works decode nothing by beam": lambda: VAE.decode(np.zeros((0, 4)), BeamConfig()),
        "works decode of a language model": lambda: LM.decode(torch.zeros(2, 0)),
        "works decode with labels": lambda: CLASSIFIER.decode(
            torch.zeros(2, 4), context=Context(label_B=torch.tensor([0, 1]))
        ),
        "works decode by the widest beam": lambda: VAE.decode(torch.zeros(9, 4), BeamConfig(width=1000, max_tokens=3)),
        "works decode almost cold": lambda: VAE.decode(torch.zeros(2, 4), SamplingConfig(temperature=1e-300)),
        "works decode hot": lambda: VAE.decode(torch.zeros(2, 4), SamplingConfig(temperature=1e300, top_k=10**18)),
        "works encode a generator": lambda: VAE.encode(text for text in TEXTS).tolist(),
        "works encode an array": lambda: VAE.encode(np.array(TEXTS)).tolist(),
        "works classify a generator": lambda: len(classify(CLASSIFIER, iter(TEXTS))),
        "works reconstruct a generator": lambda: len(reconstruct(VAE, iter(TEXTS))),
        "works impute a generator": lambda: len(impute(VAE, iter(["I ___ you."]))),
        "works a long path": lambda: len(interpolate(VAE, "I love you.", "The dog sleeps.", steps=600).texts),
        "works numpy seed": lambda: len(generate_sentences(VAE, 1, seed=np.int64(3))),
        "works largest seed": lambda: len(reconstruct(VAE, TEXTS, seed=2**63 - 1, sample=True)),
    }
    return tried


def outcome(call: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"value": call()}
    except TextVAEError as error:
        return {"refused": str(error), "code": error.exit_code}
    except Exception as error:
        return {"broke": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    print(json.dumps({name: outcome(call) for name, call in cases(Path(sys.argv[1])).items()}, default=str))
