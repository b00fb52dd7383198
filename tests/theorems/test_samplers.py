"""Samplers against densities whose moments are known; the leapfrog scheme's volume and reversibility (O10)."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.oracles import linear_gaussian as oracle
from textvae.models import LogJoint
from textvae.samplers import (
    UNIT_SPHERE,
    Density,
    Point,
    adapted,
    density_of,
    hmc,
    leapfrog,
    stein_direction,
    svgd,
    transition,
)
from textvae.samplers.hmc import path_length


def banana(x: Tensor) -> Tensor:
    """Far from Gaussian, in three dimensions."""
    return -0.5 * x[..., 0] ** 2 - (x[..., 1] - x[..., 0] ** 2) ** 2 - 0.25 * (x[..., 2] - x[..., 1]) ** 4


def quartic(x: Tensor) -> Tensor:
    return -0.25 * (x**4).sum(-1)


QUARTIC_SQUARE = 2 * math.gamma(0.75) / math.gamma(0.25)
"""E[x^2] of a density proportional to exp(-x^4 / 4)."""


def joint_of(rows: int) -> tuple[oracle.LinearGaussianModel, Density]:
    model = oracle.LinearGaussianModel()
    model = oracle.LinearGaussianModel(model.sample(rows))
    log_joint = LogJoint(model.decoder, model.prior(), model.batch().tokens_BT)

    def density(z_SBD: Tensor) -> Point:
        return Point(z_SBD, *log_joint.value_and_grad(z_SBD))

    return model, density


def test_leapfrog_preserves_volume() -> None:
    """O10: the determinant of position and momentum after 7 steps is 1, by differences of fourth order."""
    start = torch.tensor([0.3, -0.4, 0.8, 0.5, -1.0, 0.2], dtype=torch.float64)

    def moved(state: Tensor) -> Tensor:
        point, momentum = leapfrog(density_of(banana), density_of(banana)(state[:3]), state[3:], 0.13, 7)
        return torch.cat([point.position, momentum])

    columns = []
    for axis in range(6):
        shift = torch.zeros(6, dtype=torch.float64)
        shift[axis] = 1e-5
        near, far = (moved(start + k * shift) - moved(start - k * shift) for k in (1, 2))
        columns.append((8 * near - far) / 12e-5)
    assert torch.linalg.det(torch.stack(columns)).item() == pytest.approx(1.0, abs=1e-8)


def test_leapfrog_is_reversible() -> None:
    """O10: forward, turn around, forward: the start, its momentum turned; each dimension with its own step."""
    density = density_of(banana)
    start, momentum = torch.randn(2, 20, 3, dtype=torch.float64)
    size = torch.tensor([0.05, 0.1, 0.02], dtype=torch.float64)
    there, moved = leapfrog(density, density(start), momentum, size, 15)
    back, returned = leapfrog(density, there, -moved, size, 15)
    assert (there.position - start).abs().max() > 0.5
    torch.testing.assert_close(back.position, start, rtol=0, atol=1e-9)
    torch.testing.assert_close(returned, -momentum, rtol=0, atol=1e-9)


def test_leapfrog_energy_error_is_of_second_order() -> None:
    density = density_of(banana)
    start, momentum = torch.randn(2, 200, 3, dtype=torch.float64)
    errors = []
    for steps in (40, 80, 160):
        point, moved = leapfrog(density, density(start), momentum, 0.4 / steps, steps)
        change = point.value - density(start).value - 0.5 * (moved.square() - momentum.square()).sum(-1)
        errors.append(change.abs().mean().item())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1) and errors[1] / errors[2] == pytest.approx(4, rel=0.1)


def on_sphere(x: Tensor) -> Tensor:
    """On the sphere: up along the first axis, and a ridge across."""
    return 1.5 * x[..., 0] + 2.0 * x[..., 0] ** 2


def test_leapfrog_on_a_sphere() -> None:
    """It stays there, its momentum along it; it is reversible; its energy error is of second order."""
    density = density_of(on_sphere)
    start, momentum = torch.randn(2, 200, 4, dtype=torch.float64)
    start = start / start.norm(dim=-1, keepdim=True)
    momentum = UNIT_SPHERE.tangent(start, momentum)
    there, moved = leapfrog(density, density(start), momentum, 0.1, 15, UNIT_SPHERE)
    torch.testing.assert_close(there.position.norm(dim=-1), torch.ones(200).double())
    assert (there.position * moved).sum(-1).abs().max() < 1e-12
    assert (there.position - start).norm(dim=-1).max() > 1
    back, returned = leapfrog(density, there, -moved, 0.1, 15, UNIT_SPHERE)
    torch.testing.assert_close(back.position, start, rtol=0, atol=1e-9)
    torch.testing.assert_close(returned, -momentum, rtol=0, atol=1e-9)
    errors = []
    for steps in (40, 80):
        point, moved = leapfrog(density, density(start), momentum, 1.0 / steps, steps, UNIT_SPHERE)
        change = point.value - density(start).value - 0.5 * (moved.square() - momentum.square()).sum(-1)
        errors.append(change.abs().mean().item())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)


def test_hmc_on_a_sphere_finds_moments() -> None:
    """On S^3 the first coordinate w has a density proportional to exp(f(w)) sqrt(1 - w^2).

    Its first two moments are found within 4 standard errors of 400 chains.
    """
    torch.manual_seed(0)
    start = torch.randn(400, 4, dtype=torch.float64)
    start = start / start.norm(dim=-1, keepdim=True)
    chains = hmc(density_of(on_sphere), start, draws=30, burn_in=30, steps=5, step_size=0.3, space=UNIT_SPHERE)
    w = torch.linspace(-1, 1, 20_001, dtype=torch.float64)[1:-1]
    weight = (1.5 * w + 2 * w**2).exp() * (1 - w**2).sqrt()
    for power in (1, 2):
        expected = (w**power * weight).sum() / weight.sum()
        means = (chains.positions[..., 0] ** power).mean(0)
        assert abs(means.mean() - expected) < 4 * means.std() / 400**0.5
    assert 0.6 < chains.acceptance.mean() < 0.95


@pytest.mark.parametrize("size", [0.5, 1.3])
def test_hmc_leaves_a_density_invariant(size: float) -> None:
    """O6: 20 000 exact draws of a Gaussian in 6 dimensions after 5 transitions: moments within 4 standard errors.

    With the longer step a third is rejected; without rejection the variance would be off by far more.
    """
    generator = torch.Generator().manual_seed(0)
    scale = torch.linspace(0.6, 2.0, 6, dtype=torch.float64)
    density = density_of(lambda x: -0.5 * ((x - 1.0) / scale).square().sum(-1))
    exact = torch.randn(20_000, 6, generator=generator, dtype=torch.float64) * scale + 1.0
    point, rejected = density(exact), 0.0
    for _ in range(5):
        momentum = torch.randn(exact.shape, generator=generator, dtype=torch.float64)
        uniform = torch.rand(len(exact), generator=generator, dtype=torch.float64)
        step = transition(density, point, momentum, uniform, size * 0.6, 4)
        point, rejected = step.point, 1 - step.accepted.double().mean().item()
    x = (point.position - 1.0) / scale
    assert (x.mean(0).abs() < 4 / len(x) ** 0.5).all()
    assert ((x.square().mean(0) - 1).abs() < 4 * (2 / len(x)) ** 0.5).all()
    assert (rejected > 0.1) == (size > 1)
    torch.testing.assert_close(density(point.position).gradient, point.gradient)
    torch.testing.assert_close(density(point.position).value, point.value)


def test_hmc_finds_densities_from_afar() -> None:
    """1000 chains: x^2 under exp(-x^4/4), and mean and covariance of the posteriors of O1, within 4 standard errors."""
    generator = torch.Generator().manual_seed(1)
    chains = hmc(
        density_of(quartic), torch.full((1000, 1), 3.0, dtype=torch.float64), draws=20, burn_in=50, generator=generator
    )
    square = chains.positions.square().mean((0, 2))
    assert abs(square.mean().item() - QUARTIC_SQUARE) < 4 * square.std().item() / 1000**0.5
    assert chains.acceptance.mean().item() == pytest.approx(0.8, abs=0.05)

    model, density = joint_of(3)
    start = torch.full((1000, 3, 2), 4.0, dtype=torch.float64)
    drawn = hmc(density, start, draws=5, burn_in=40, steps=5, generator=generator).positions[-1]
    exact = model.exact_posterior()
    error = drawn.mean(0) - exact.mean
    assert (error.abs() < 4 * (exact.variance / 1000).sqrt()).all()
    for row in range(3):
        covariance = exact.covariance_matrix[row].detach()
        spread = ((covariance**2 + covariance.diagonal()[:, None] * covariance.diagonal()) / 1000).sqrt()
        assert ((torch.cov(drawn[:, row].T) - covariance).abs() < 4 * spread).all()


def test_hmc_survives_what_is_no_number() -> None:
    density = density_of(lambda x: x.sum(-1).sqrt().log())
    chains = hmc(density, torch.ones(30, 2), draws=20, burn_in=0, step_size=5.0)
    assert chains.positions.isfinite().all() and (chains.positions.sum(-1) > 0).all()


def test_hmc_leaves_a_place_without_probability() -> None:
    """The unit ball with log-density 0 at its center, and -inf outside, from where a free path leads back into it."""
    density = density_of(lambda x: torch.where(x.norm(dim=-1) < 1, -0.5 * x.square().sum(-1), -torch.inf))
    generator = torch.Generator().manual_seed(0)
    chains = hmc(density, torch.full((40, 2), 0.9), step_size=0.5, draws=300, burn_in=0, steps=1, generator=generator)
    assert (chains.positions[0].norm(dim=-1) > 1).any(), "the start is outside"
    assert (chains.positions[-1].norm(dim=-1) < 1).all()


def test_step_sizes_follow_acceptance_and_paths_vary() -> None:
    size = torch.tensor([[0.1, 0.1]])
    wider, narrower = adapted(size, torch.tensor([[1.0, 0.0], [1.0, 0.2]]))[0].tolist()
    assert narrower < 0.1 < wider
    assert {path_length(10, u / 100) for u in range(100)} == set(range(5, 16))


def test_stein_particles_spread_over_a_gaussian() -> None:
    """Card A7: 60 particles on N(1, 2^2): mean 1, deviation 1.943 (5 % for a finite number), in each of 3 sets."""
    target = density_of(lambda x: -0.5 * ((x - 1.0) / 2.0).square().sum(-1))
    start = torch.randn(60, 3, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.3 - 2.0
    found = svgd(target, start, steps=400, step_size=0.3)
    torch.testing.assert_close(found.mean(0), torch.ones(3, 1, dtype=torch.float64), rtol=0, atol=0.01)
    assert ((found.std(0) - 1.943).abs() < 0.05 * 1.943).all()
    assert stein_direction(found, target(found).gradient).abs().max() < 0.01


def test_stein_direction_is_its_definition() -> None:
    z, gradient = torch.randn(2, 5, 4, 3, dtype=torch.float64)
    found = stein_direction(z, gradient, bandwidth=1.7)
    for b in range(4):
        for j in range(5):
            one = z[:, b].clone().requires_grad_()
            kernel = torch.exp(-(one - z[j, b]).square().sum(-1) / 1.7)
            (by_first,) = torch.autograd.grad(kernel.sum(), one)
            expected = (kernel.detach().unsqueeze(-1) * gradient[:, b] + by_first).mean(0)
            torch.testing.assert_close(found[j, b], expected)


def test_one_particle_climbs_to_the_mode() -> None:
    model, density = joint_of(4)
    found = svgd(density, torch.zeros(1, 4, 2, dtype=torch.float64), steps=300)
    torch.testing.assert_close(found[0], model.exact_posterior().mean.detach(), rtol=0, atol=1e-2)
