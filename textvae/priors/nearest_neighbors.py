"""The prior that is conditioned on the code of a similar training sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from textvae.config import MAX_PARTS, MAX_WIDTH
from textvae.distributions import DiagonalGaussian, EqualMixture, GaussianMixture, LatentDistribution
from textvae.errors import ConfigError
from textvae.layers import at_least_float32, uncompiled
from textvae.priors.base import MemoryPrior, PriorSettings
from textvae.types import Context

_DISTANCES = 2**24
"""The largest number of distances held at once in a search. It limits memory and does not change results."""

_SPREAD = 0.1
"""Standard deviation of the initial means of several components, as equal components would stay equal for ever."""


class NearestNeighborsPriorConfig(PriorSettings):
    """Settings of a nearest-neighbors prior."""

    kind: Literal["nearest_neighbors"] = "nearest_neighbors"
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "": {"neighbors": 2, "hidden_dim": 8},
        "mixtures": {"neighbors": 2, "hidden_dim": 8, "components": 2, "mixture_codes": 4},
    }
    sees_codes: ClassVar[bool] = True
    neighbors: int = Field(
        5, ge=1, le=MAX_PARTS, description="K: a training sentence's prior is conditioned on one of its K nearest codes"
    )
    memory: Literal["batch", "epoch"] = Field(
        "batch", description="when codes are stored: those of each batch, or all of them at the end of each epoch"
    )
    components: int = Field(
        1, ge=1, le=MAX_PARTS, description="Gaussians of p(z|c); with one the KL has a closed form in training"
    )
    hidden_dim: int = Field(
        128, gt=0, le=MAX_WIDTH, description="hidden units between a code and the parameters of p(z|c)"
    )
    min_scale: float = Field(1e-3, gt=0, description="smallest standard deviation of p(z|c)")
    mixture_codes: int | None = Field(
        None, ge=1, description="number of codes of the unconditional prior, chosen by the seed; all when absent"
    )

    def build(self, *, latent_dim: int) -> NearestNeighborsPrior:
        return NearestNeighborsPrior(self, latent_dim)


class NearestNeighborsPrior(MemoryPrior):
    """In training p(z | c), where c is the code of a similar sentence; otherwise p(z) = (1/N) sum_n p(z | c_n).

    Associative compression networks (Graves, Menick & van den Oord 2018, arXiv 1804.02476). The memory stores the
    center of the posterior of each training sentence. The KL of a training sentence is KL(q(z|x) || p(z|c)), with c
    drawn uniformly from the K stored codes nearest to its own, its own excluded. If the corpus contains a sentence
    twice, each copy may be the other's neighbor. p(z|c) is a Gaussian (or a small mixture) whose parameters are
    computed from c by a network with one hidden layer. It is initialized to N(0, I) for every c (near it, with several
    components).

    c depends on x, so this KL does not give a bound on log p(x). Outside of training, and wherever no code is given,
    the prior is therefore the mixture over the stored codes: a proper density, with which all bounds are valid.
    KL(q || mixture) <= mean KL to the K neighbors + log(N / K). Only codes of training sentences enter the memory.

    Before any code is stored, the origin serves as the only one.

    Cost: a training step takes a matrix product of B x D with D x N, and a search for the K smallest of N distances for
    each of B sentences, with B * N floats of memory (at most 64 MiB at once). Outside of training, each call of the
    prior runs the network on N codes, and each z scored takes N densities in double precision; `mixture_codes` limits
    N in both.

    The memory has the length of the training corpus, and is saved with the model. A model folder thus contains a code
    of each training sentence, from which the decoder may be able to reproduce it. Share such a model only where you
    would share the corpus.

    Args:
        config: the settings.
        latent_dim: D.

    >>> prior = NearestNeighborsPriorConfig(neighbors=1).build(latent_dim=2)
    >>> prior.begin(3)
    >>> prior.store(torch.arange(3), torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 5.0]]))
    >>> prior.neighbors(torch.tensor([[0.1, 0.0]]), torch.tensor([0]))[0].tolist()
    [[1]]
    >>> prior(Context(vector_BH=torch.zeros(1, 2), example_id_B=torch.tensor([0]))).batch_shape
    torch.Size([1])
    >>> prior.eval()().log_prob(torch.zeros(7, 2)).shape
    torch.Size([7])
    """

    memory_names = ("codes_ND", "filled_N", "mixture_M")

    codes_ND: Tensor
    filled_N: Tensor
    mixture_M: Tensor

    def __init__(self, config: NearestNeighborsPriorConfig, latent_dim: int) -> None:
        super().__init__()
        self.config, self.latent_dim = config, latent_dim
        self.stores, self.num_neighbors = config.memory, config.neighbors
        self.min_log_scale = math.log(config.min_scale)
        components = config.components
        each = components * (2 * latent_dim + (1 if components > 1 else 0))
        last = nn.Linear(config.hidden_dim, each)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        if components > 1:
            with torch.no_grad():
                last.bias[: components * latent_dim].normal_(std=_SPREAD)
        self.network = nn.Sequential(nn.Linear(latent_dim, config.hidden_dim), nn.Tanh(), last)
        self.register_buffer("codes_ND", torch.zeros(0, latent_dim))
        self.register_buffer("filled_N", torch.zeros(0, dtype=torch.bool))
        # The indices of the codes of the mixture; empty for all codes.
        self.register_buffer("mixture_M", torch.zeros(0, dtype=torch.int64))
        self._noticed: tuple[Tensor, Tensor] | None = None
        self._exclude_self = True  # a test sets it to False, to show what happens then

    # The memory.

    def begin(self, sentences: int, seed: int = 0) -> None:
        """Make an empty memory for a training corpus, in place of any earlier one.

        Args:
            sentences: N.
            seed: seed of the choice of `mixture_codes`.

        Raises:
            ConfigError: N is not larger than K, the number of neighbors.
        """
        if sentences <= self.config.neighbors:
            raise ConfigError(
                f"prior.neighbors is {self.config.neighbors}, and the training corpus has {sentences} sentences; it "
                "needs at least one more than neighbors. Lower prior.neighbors, or train on more sentences."
            )
        self._noticed = None
        self.codes_ND = self.codes_ND.new_zeros(sentences, self.latent_dim)
        self.filled_N = self.filled_N.new_zeros(sentences)
        count = self.config.mixture_codes
        chosen = torch.zeros(0, dtype=torch.int64)
        if count is not None and count < sentences:
            drawn = torch.randperm(sentences, generator=torch.Generator().manual_seed(seed))
            chosen = drawn[:count].sort().values
        self.mixture_M = chosen.to(self.codes_ND.device)

    @torch.no_grad()
    def store(self, example_id_B: Int[Tensor, " B"], code_BD: Float[Tensor, "B D"]) -> None:
        """Store the codes of training sentences, by their positions in the corpus."""
        self.codes_ND[example_id_B] = code_BD.to(self.codes_ND)
        self.filled_N[example_id_B] = True

    def take_noticed(self) -> tuple[Tensor, Tensor] | None:
        """Ids [B] and codes [B, D] of the last batch in training mode; None without one, or if it was taken before."""
        noticed, self._noticed = self._noticed, None
        return noticed

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        # The size of a saved memory is known only now, so resize the buffers to it.
        for name in self.memory_names:
            saved, own = state_dict.get(prefix + name), getattr(self, name)
            if saved is not None and saved.shape != own.shape and saved.shape[1:] == own.shape[1:]:
                setattr(self, name, own.new_empty(saved.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)

    # The distributions.

    def forward(self, context: Context | None = None) -> LatentDistribution:
        """
        Args:
            context: in training, `vector_BH` has the codes of the sentences [B, D] and `example_id_B` their positions
                in the training corpus.

        Returns:
            in training with codes, p(z | code of a neighbor), batch shape [B]; otherwise the mixture, batch shape [].

        Raises:
            ConfigError: codes without example ids in training, so that a sentence could be its own neighbor.
        """
        if not self.training or context is None or context.vector_BH is None:
            return self._mixture()
        if context.example_id_B is None:
            raise ConfigError(
                "a nearest_neighbors prior in training got sentences without example ids, by which it tells a sentence "
                "from its neighbors; give Batch(example_id_B=...), or call model.eval() to score them."
            )
        return self.conditional(self._drawn(context.vector_BH, context.example_id_B, notice=True))

    def near(self, code_BD: Float[Tensor, "B D"]) -> LatentDistribution:
        """p(z|c) for each of these codes, with c drawn from the K stored codes nearest to it, batch shape [B]."""
        return self.conditional(self._drawn(code_BD, None))

    def conditional(self, code_BD: Float[Tensor, "*B D"]) -> DiagonalGaussian | GaussianMixture:
        """p(z|c) of each code c."""
        found = at_least_float32(self.network(code_BD))
        count, dims = self.config.components, self.latent_dim
        loc, log_scale = found[..., : count * dims], found[..., count * dims : 2 * count * dims]
        scale = torch.exp(log_scale.clamp_min(self.min_log_scale))
        if count == 1:
            return DiagonalGaussian(loc, scale, validate_args=False)
        shape = (count, dims)
        return GaussianMixture(found[..., 2 * count * dims :], loc.unflatten(-1, shape), scale.unflatten(-1, shape))

    def _mixture(self) -> EqualMixture:
        codes, filled = self.codes_ND, self.filled_N
        if len(self.mixture_M):
            codes, filled = codes[self.mixture_M], filled[self.mixture_M]
        codes = codes[filled]
        return EqualMixture(self.conditional(codes if len(codes) else codes.new_zeros(1, self.latent_dim)))

    # Not compiled: the search and the side effect on `_noticed` would only break the graph.
    @uncompiled
    @torch.no_grad()
    def _drawn(self, code_BD: Tensor, example_id_B: Tensor | None, notice: bool = False) -> Tensor:
        """The code of a random one of the K nearest neighbors of each sentence; the origin if there is none."""
        code_BD = at_least_float32(code_BD.detach())
        if notice and example_id_B is not None:
            self._noticed = (example_id_B, code_BD)
        share_B = torch.rand(len(code_BD), device=code_BD.device)
        if not len(self.codes_ND):
            return torch.zeros_like(code_BD)
        index_BK, found_B = self.neighbors(code_BD, example_id_B)
        chosen_B = (share_B * found_B).long().clamp(max=index_BK.shape[1] - 1)
        drawn_BD = self.codes_ND[index_BK.gather(1, chosen_B.unsqueeze(1)).squeeze(1)].to(code_BD.dtype)
        return torch.where((found_B > 0).unsqueeze(1), drawn_BD, torch.zeros_like(drawn_BD))

    @torch.no_grad()
    def neighbors(
        self, code_BD: Float[Tensor, "B D"], example_id_B: Int[Tensor, " B"] | None = None
    ) -> tuple[Int[Tensor, "B K"], Int[Tensor, " B"]]:
        if not len(self.codes_ND):
            raise ConfigError("a nearest_neighbors prior has no codes stored; train it, or call begin() and store().")
        own_B = example_id_B if self._exclude_self else None
        count = min(self.config.neighbors, len(self.codes_ND))
        rows = max(1, _DISTANCES // len(self.codes_ND))
        found = []
        # In half precision, the distances of near codes could not be distinguished.
        with torch.autocast(code_BD.device.type, enabled=False):
            for start in range(0, len(code_BD), rows):
                part = slice(start, start + rows)
                own = None if own_B is None else own_B[part]
                found.append(_nearest(code_BD[part].to(self.codes_ND), self.codes_ND, self.filled_N, own, count))
        available_B = self.filled_N.sum().expand(len(code_BD))
        if own_B is not None:
            available_B = available_B - self.filled_N[own_B].long()
        return torch.cat(found), available_B.clamp(max=count)


def _nearest(query_BD: Tensor, codes_ND: Tensor, allowed_N: Bool[Tensor, " N"], own_B: Tensor | None, k: int) -> Tensor:
    """Rows of the k allowed codes nearest to each query, nearest first, by one matrix product, [B, k]."""
    # |q - c|^2 without the term |q|^2, which is the same for all codes.
    distance_BN = codes_ND.square().sum(-1) - 2.0 * query_BD @ codes_ND.T
    distance_BN = distance_BN.masked_fill(~allowed_N, torch.inf)
    if own_B is not None:
        distance_BN = distance_BN.scatter(1, own_B.unsqueeze(1), torch.inf)
    return distance_BN.topk(k, dim=1, largest=False).indices
