"""The speed of training, evaluation and decoding, relative to that of the machine's matrix product.

    python -m benchmarks.speed [--corpus bible] [--device cpu]

The floor is the speed at which the model would run if its matrix products were all its work: the matrix-product speed,
measured in the same process just before, divided by the operations that the model needs for a token. `of_floor` is the
measured speed as a share of the floor. Run it on a machine without other jobs, because they would distort the timings.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import results_file
from textvae.decoders import LSTMDecoderConfig, TransformerDecoderConfig
from textvae.encoders import LSTMEncoderConfig, TransformerEncoderConfig
from textvae.evaluation import likelihood
from textvae.generation import BeamConfig, GreedyConfig, SamplingConfig, generate
from textvae.layers import matrix_product
from textvae.models import TextVAE, TextVAEConfig
from textvae.objectives import ELBOConfig
from textvae.text.batching import BatchPlan, sequential_batches
from textvae.text.corpora import load_card
from textvae.text.tokenized import TokenizedCorpus, write_tokenized
from textvae.text.tokenizers import WordConfig

MODELS = {
    "lstm_256": TextVAEConfig(
        latent_dim=32,
        encoder=LSTMEncoderConfig(embedding_dim=256, hidden_dim=256),
        decoder=LSTMDecoderConfig(embedding_dim=256, hidden_dim=256),
    ),
    "transformer_256": TextVAEConfig(
        latent_dim=32,
        encoder=TransformerEncoderConfig(model_dim=256, layers=2, heads=4),
        decoder=TransformerDecoderConfig(model_dim=256, layers=2, heads=4, tie_embeddings=False),
    ),
}


def flop_per_token(model: TextVAE, train: bool) -> float:
    """Multiply-adds (as two operations) of the weight matrices for one token: forward, and twice that backward.

    Encoder and decoder see every token once. In evaluation with many samples only the decoder is counted.
    """

    def products(module: torch.nn.Module) -> int:
        return sum(
            p.numel()
            for name, p in module.named_parameters()
            if p.dim() == 2 and "embedding" not in name and "position" not in name
        )

    decoder = 2.0 * products(model.decoder)
    return 3.0 * (decoder + 2.0 * products(model.encoder)) if train else decoder


def median_seconds(work: Callable[[], Any], device: str, repeats: int = 5) -> float:
    def once() -> float:
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    once()
    return statistics.median(once() for _ in range(repeats))


@torch.no_grad()
def matrix_product_flops(device: str) -> float:
    """The best of three shapes, in floating-point operations a second, float32."""
    best = 0.0
    for n, k, m in ((1408, 256, 10_000), (1024, 1024, 1024), (2048, 2048, 2048)):
        a, b = torch.randn(n, k, device=device), torch.randn(m, k, device=device)
        # By whichever library multiplies fastest here: a floor that the package itself beats would be none.
        for product in (lambda a=a, b=b: a @ b.T, lambda a=a, b=b: matrix_product(a, b)):
            best = max(best, 2.0 * n * k * m / median_seconds(product, device, repeats=9))
    return best


def rows_of(name: str, corpus: TokenizedCorpus, vocab_size: int, device: str, seed: int) -> list[dict[str, Any]]:
    torch.manual_seed(seed)
    model = MODELS[name].build(vocab_size=vocab_size, max_tokens=int(corpus.lengths.max())).to(device)
    rows: list[dict[str, Any]] = []

    def row(task: str, per_second: float, unit: str, needed: float | None) -> None:
        made = {
            "name": f"{task} {name}",
            "seed": seed,
            "task": task,
            "model": name,
            "device": device,
            "dtype": "float32",
        }
        made |= {"per_second": round(per_second, 1), "unit": unit, "params": model.num_parameters}
        if needed is not None:
            floor = flops / needed
            made |= {"floor_per_second": round(floor, 1), "of_floor": round(per_second / floor, 3)}
            made["matrix_product_gflops"] = round(flops / 1e9, 1)
        memory = (
            torch.cuda.max_memory_allocated() / 2**20
            if device == "cuda"
            else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        )
        made["peak_memory_mb"] = round(memory)
        rows.append(made)
        print(
            f"{made['name']:24} {per_second:12,.0f} {unit:28}"
            + (f" {made['of_floor']:.0%} of the floor" if needed else ""),
            flush=True,
        )

    flops = matrix_product_flops(device)
    print(f"matrix product: {flops / 1e9:,.0f} GFLOP/s")
    objective = ELBOConfig().build(steps_per_epoch=1, total_steps=1)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    batches = [corpus.batch(i).to(device) for i in BatchPlan(corpus.lengths, 2048, None, seed).epoch(0)[:12]]
    tokens = int(sum((b.lengths_B - 1).sum() for b in batches))

    def train_steps() -> None:
        model.train()
        for batch in batches:
            loss = objective(model(batch), 0).loss_B.mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()

    row("train", tokens / median_seconds(train_steps, device, 3), "valid tokens", flop_per_token(model, True))
    model.eval()
    # Sentences of like lengths, as an evaluation of a whole corpus has them in its batches.
    samples, batches_of = 100, sequential_batches(corpus.lengths, 1024)
    chosen = np.concatenate([batches_of[i] for i in np.random.default_rng(seed).permutation(len(batches_of))[:3]])
    sentences = len(chosen)
    mean_tokens = float((corpus.lengths[chosen] - 1).mean())

    def importance() -> None:
        likelihood(model, corpus, chosen, num_samples=samples)

    flops = matrix_product_flops(device)
    needed = flop_per_token(model, False) * mean_tokens
    row("iw", sentences * samples / median_seconds(importance, device, 3), "sentences x samples", needed)
    z = torch.randn(200, 32, device=device)
    for task, decoding in (
        ("greedy", GreedyConfig(max_tokens=30)),
        ("sample", SamplingConfig(max_tokens=30)),
        ("beam5", BeamConfig(width=5, max_tokens=30)),
    ):
        start = time.perf_counter()
        with torch.no_grad():
            made = generate(model.decoder, z, decoding)
        if device == "cuda":
            torch.cuda.synchronize()
        spent = time.perf_counter() - start
        words = sum(len(ids) + 1 for ids in made.tokens)
        row(
            task,
            len(z) / spent if task == "beam5" else words / spent,
            "sentences" if task == "beam5" else "tokens",
            None,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", default="bible", help="a corpus card, by name or path")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--model", action="append", choices=list(MODELS), help="only this model; may be repeated")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    card = load_card(args.corpus)
    examples = list(card.read("train"))
    tokenizer = WordConfig(vocab_size=10_000).train([example.text for example in examples])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.arrow"
        start = time.perf_counter()
        report = write_tokenized(path, examples, tokenizer, max_tokens=80, overlong="truncate", label_names=None)
        spent = time.perf_counter() - start
        rows: list[dict[str, Any]] = [
            {
                "name": "tokenize word",
                "seed": args.seed,
                "task": "tokenize",
                "model": "word",
                "device": "cpu",
                "dtype": "int32",
                "per_second": round(report.tokens / spent, 1),
                "unit": "tokens",
            }
        ]
        corpus = TokenizedCorpus(path)
        for name in args.model or MODELS:
            rows += rows_of(name, corpus, 10_000, args.device, args.seed)
    print(results_file.write("speed", rows, args.device))


if __name__ == "__main__":
    main()
