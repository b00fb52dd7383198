"""Stores the codes of training sentences in a prior that is conditioned on them; alike in all processes."""

from __future__ import annotations

import numpy as np
import torch

from textvae.models import TextModel
from textvae.text.batching import sequential_batches
from textvae.text.tokenized import TokenizedCorpus
from textvae.training.callback import Callback
from textvae.training.processes import Processes
from textvae.training.validation import isolated_randomness


class CodeMemory(Callback):
    """Updates the memory of a prior that is conditioned on stored codes; for every other prior it does nothing.

    Before the first step all training sentences are encoded. Later, as the prior's settings say, either the codes of
    the global batch are stored after each step, or all sentences are encoded again after each epoch. Updates of the
    encoder alone (aggressive training) store no codes. The codes are buffers of the model, so checkpoints and model
    folders contain them.

    Args:
        model: whose prior has the memory.
        corpus: the training sentences.
        batch_tokens: budget of a batch when all sentences are encoded.
        seed: of what the prior draws from the corpus.
        processes: each encodes some of the batches.
    """

    def __init__(
        self, model: TextModel, corpus: TokenizedCorpus, *, batch_tokens: int, seed: int, processes: Processes
    ) -> None:
        self.model, self.corpus, self.processes = model, corpus, processes
        self.batch_tokens = max(batch_tokens, int(np.max(corpus.lengths)))
        self.prior = model.memory
        if self.prior is not None:
            # The memory must have its length before weights are loaded and before wrappers list the buffers.
            self.prior.begin(len(corpus), seed)

    def fill(self) -> None:
        """Encode and store every training sentence; the model's mode and the random state are restored."""
        if self.prior is None:
            return
        processes, was_training = self.processes, self.model.training
        batches = sequential_batches(np.asarray(self.corpus.lengths), self.batch_tokens)
        codes_ND = torch.zeros(len(self.corpus), self.model.latent_dim, device=processes.device)
        self.model.eval()
        try:
            with isolated_randomness(processes.device), torch.no_grad(), processes.accelerator.autocast():
                for rows in batches[processes.index :: processes.count]:
                    found_BD = self.model.code_of(self.corpus.batch(rows).to(processes.device))
                    codes_ND[torch.as_tensor(rows, device=processes.device)] = found_BD.float()
        finally:
            self.model.train(was_training)
        self.prior.store(torch.arange(len(codes_ND), device=processes.device), processes.sum(codes_ND))

    def after_step(self, indices: np.ndarray) -> None:
        """Store the codes of the step's batch, where the prior stores codes by batch."""
        if self.prior is None:
            return
        noticed = self.prior.take_noticed()
        if self.prior.stores != "batch":
            return
        processes = self.processes
        codes_ND = torch.zeros(len(indices), self.model.latent_dim, device=processes.device)
        mine, counts = processes.share(np.arange(len(indices)))
        if counts:
            assert noticed is not None
            _, code_BD = noticed
            codes_ND[torch.as_tensor(mine, device=processes.device)] = code_BD.float()
        self.prior.store(torch.as_tensor(indices, device=processes.device), processes.sum(codes_ND))

    def after_epoch(self, numbers: dict[str, int | float]) -> None:
        """Encode and store all sentences again, where the prior stores codes by epoch. Idempotent."""
        if self.prior is not None and self.prior.stores == "epoch":
            self.fill()
