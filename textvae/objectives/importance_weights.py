"""Importance weights, log w = log p(x, z) - log q(z|x), of which all bounds except the ELBO are computed."""

from __future__ import annotations

import torch
from torch import Tensor

from textvae.errors import ConfigError
from textvae.objectives.elbo import kl_by_level, kl_by_sentence, rate_name
from textvae.types import LatentGroup, LatentTerms, ObjectiveOutput


def log_importance_weights(terms: LatentTerms, kl_weight: float = 1.0, stop_posterior: bool = False) -> Tensor:
    """log p(x|z) + kl_weight * (log p(z) - log q(z|x)) of each sample, nats, [S, B].

    Args:
        terms: the terms of a batch.
        kl_weight: below 1 while the KL is annealed. Only with 1 is the result an importance weight.
        stop_posterior: detach the parameters of log q, so that the encoder's gradient is only that of the samples
            (Roeder et al. 2017, arXiv 1703.09194).

    Raises:
        ConfigError: a latent variable has no density, or belongs to several sentences.
    """
    log_w_SB = terms.log_px_z_SB
    for group in terms.latents:
        if group.log_q_SU is None:
            raise ConfigError(
                f"'{group.name}' has no density, so it has no importance weights; use the objective stein, or another "
                "posterior."
            )
        if group.unit_B is not None:
            raise ConfigError(
                f"several sentences share '{group.name}', so a sentence alone has no importance weight; use the "
                "objective elbo."
            )
        log_q_SU = group.log_q_SU
        if stop_posterior and group.z_SUD.is_floating_point():
            log_q_SU = _log_q_with_stopped_parameters(group)
        log_w_SB = log_w_SB + kl_weight * (group.log_p_SU - log_q_SU)
    return log_w_SB


def _log_q_with_stopped_parameters(group: LatentGroup) -> Tensor:
    """log q(z|x), nats, [S, U], with a gradient through the samples only."""
    z_SUD, stopped = group.z_SUD, group.posterior.detached()  # type: ignore[attr-defined]
    if len(stopped.batch_shape) == 1:
        return stopped.log_prob(z_SUD)
    # With a posterior for each label, the sample axis is (samples, labels), flattened.
    return stopped.log_prob(z_SUD.reshape(-1, *stopped.batch_shape, z_SUD.shape[-1])).flatten(0, 1)


def output(terms: LatentTerms, loss_B: Tensor, kl_weight: float) -> ObjectiveOutput:
    """A loss with the metrics that every objective reports; `kl_penalty` is the loss minus `nll`."""
    with torch.no_grad():
        nll_B = terms.nll_B
        kl_B = torch.zeros_like(nll_B)
        for group in terms.latents:
            kl_B = kl_B + kl_by_sentence(group, terms)
    metrics = {"nll": nll_B, rate_name(terms): kl_B, "kl_penalty": loss_B.detach() - nll_B}
    for group in terms.latents:
        metrics |= kl_by_level(group.name, group.levels, group.kl_per_dim_UD)
    return ObjectiveOutput(loss_B, metrics, kl_weight)
