"""O3-O6, O18: distributions on the sphere against Bessel functions, quadrature and quantiles that they never use."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.interpolate
import scipy.optimize
import scipy.special
import torch
from torch import Tensor
from torch.distributions import kl_divergence

from textvae.distributions import HypersphericalUniform, PowerSpherical, RotationallySymmetric, VonMisesFisher
from textvae.distributions.sphere import from_pole, log_area

FAMILIES = {"von_mises_fisher": VonMisesFisher, "power_spherical": PowerSpherical}
GRID = [(d, k) for d in (3, 5, 10, 50, 128) for k in (0.01, 1.0, 20.0, 500.0)]


def direction(dim: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    loc = torch.randn(dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (loc / loc.norm()).to(dtype)


def made(family: str, dim: int, concentration: float) -> RotationallySymmetric:
    k = torch.tensor(concentration, dtype=torch.float64, requires_grad=True)
    return FAMILIES[family](direction(dim), k)


def mean_length(dim: int, k: float) -> mpmath.mpf:
    """A_d(k) = I_{d/2}(k) / I_{d/2-1}(k)."""
    return mpmath.besseli(mpmath.mpf(dim) / 2, k) / mpmath.besseli(mpmath.mpf(dim) / 2 - 1, k)


@pytest.mark.parametrize(
    ("dim", "k", "kl"),
    [
        (3, 1.0, 0.15159592),
        (10, 5.0, 0.96850596),
        (25, 100.0, 18.80247704),
        (50, 20.0, 3.29878185),
        (50, 80.0, 19.51520793),
        (50, 100.0, 23.57071842),
        (100, 80.0, 18.41117243),
    ],
)
def test_von_mises_fisher_kl_has_the_constants_of_o3(dim: int, k: float, kl: float) -> None:
    q = made("von_mises_fisher", dim, k)
    p = HypersphericalUniform(dim, dtype=torch.float64)
    assert kl_divergence(q, p).item() == pytest.approx(kl, abs=1e-8)
    assert (p.entropy() - q.entropy()).item() == pytest.approx(kl, abs=1e-8)


@pytest.mark.parametrize("k", [0.01, 1.0, 30.0])
def test_von_mises_fisher_kl_is_elementary_in_three_dimensions(k: float) -> None:
    exact = k / math.tanh(k) - 1 + math.log(k) - (k + math.log1p(-math.exp(-2 * k)) - math.log(2))
    assert made("von_mises_fisher", 3, k).kl_to_uniform().item() == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(("dim", "k"), [(2, 0.5), (2, 500.0), (1024, 700.0), *GRID])
def test_von_mises_fisher_normalizer_mean_and_kl_slope_are_those_of_bessel_functions(dim: int, k: float) -> None:
    """By mpmath with 40 digits; dKL/dk = k Var(w), Var(w) = 1 - A^2 - (d-1) A / k."""
    q = made("von_mises_fisher", dim, k)
    with mpmath.workdps(40):
        order, kappa = mpmath.mpf(dim) / 2 - 1, mpmath.mpf(k)
        length = mean_length(dim, kappa)
        log_c = order * mpmath.log(kappa) - (order + 1) * mpmath.log(2 * mpmath.pi)
        log_c -= mpmath.log(mpmath.besseli(order, kappa))
        slope = float(kappa * (1 - length**2 - (dim - 1) * length / kappa))
        kl = float(kappa * length + log_c) + log_area(dim)
    assert q.log_prob(q.loc).item() == pytest.approx(float(log_c + kappa), abs=1e-9)
    assert q.mean_cosine.item() == pytest.approx(float(length), abs=1e-12)
    found = q.kl_to_uniform()
    assert found.item() == pytest.approx(kl, abs=1e-9)
    (grad,) = torch.autograd.grad(found, q.concentration)
    assert grad.item() == pytest.approx(slope, rel=1e-8)
    (mean_slope,) = torch.autograd.grad(q.mean_cosine, q.concentration)
    assert mean_slope.item() == pytest.approx(slope / k, rel=1e-8)


def test_float32_and_float64_agree() -> None:
    for family, cls in FAMILIES.items():
        single = cls(direction(50, dtype=torch.float32), torch.tensor(80.0))
        double = made(family, 50, 80.0)
        assert single.kl_to_uniform().dtype == single.rsample().dtype == single.mean.dtype == torch.float32
        torch.testing.assert_close(single.kl_to_uniform().double(), double.kl_to_uniform(), rtol=1e-6, atol=0)
        torch.testing.assert_close(
            single.log_prob(single.loc).double(), double.log_prob(double.loc), rtol=1e-6, atol=1e-5
        )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("k", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("dim", [2, 3, 128])
def test_float32_densities_are_exact_at_large_concentrations(family: str, dim: int, k: float) -> None:
    """By mpmath, of the very vectors that float32 holds, projected to the sphere: within rounding of log q's own parts.

    What cancels is of the size of k: subtracted in float32, k = 1e6 was wrong by 0.57 nats.
    """
    torch.manual_seed(6)
    q = FAMILIES[family](direction(dim, dtype=torch.float32), torch.tensor(k))
    z_SD = q.sample((8,))
    assert z_SD.dtype == torch.float32
    exact, size = [], 0.0
    with mpmath.workdps(40):
        kappa, half = mpmath.mpf(k), mpmath.mpf(dim - 1) / 2
        if family == "von_mises_fisher":
            log_c = (half - 0.5) * mpmath.log(kappa) - (half + 0.5) * mpmath.log(2 * mpmath.pi)
            log_c -= mpmath.log(mpmath.besseli(half - 0.5, kappa)) - kappa
        else:
            log_c = mpmath.loggamma(2 * half + kappa) - mpmath.loggamma(half + kappa) - half * mpmath.log(4 * mpmath.pi)
        loc = [mpmath.mpf(x) for x in q.loc.tolist()]
        for z_D in z_SD.tolist():
            z = [mpmath.mpf(x) for x in z_D]
            dot = sum(a * b for a, b in zip(loc, z, strict=True))
            cosine = dot / mpmath.sqrt(sum(a * a for a in loc) * sum(a * a for a in z))
            own = kappa * ((cosine - 1) if family == "von_mises_fisher" else mpmath.log((1 + cosine) / 2))
            exact.append(float(log_c + own))
            size = max(size, abs(float(log_c)) + abs(float(own)))
    found = q.log_prob(z_SD)
    assert found.dtype == torch.float32
    tolerance = 1e-6 + 4 * torch.finfo(torch.float32).eps * size
    np.testing.assert_allclose(found.double(), exact, rtol=0, atol=tolerance)
    np.testing.assert_allclose(q.expand((1,)).pairwise_log_prob(z_SD)[:, 0].double(), exact, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("dim", "k", "kl"), [(5, 3.0, 0.509438), (10, 5.0, 0.686063), (50, 30.0, 3.891704)])
def test_power_spherical_kl_has_the_constants_of_o5(dim: int, k: float, kl: float) -> None:
    q = made("power_spherical", dim, k)
    p = HypersphericalUniform(dim, dtype=torch.float64)
    assert kl_divergence(q, p).item() == pytest.approx(kl, abs=1e-6)
    assert (p.entropy() - q.entropy()).item() == pytest.approx(kl, abs=1e-6)


def over_the_sphere(q: RotationallySymmetric, values: str = "one") -> float:
    """The integral over the sphere of q, or of -q log q, through `log_prob` at points in polar coordinates."""
    dim = q.event_shape[0]
    side = torch.linalg.svd(q.loc.unsqueeze(0)).Vh[1]  # at right angles to loc

    def integrand(angle: float) -> float:
        z = math.cos(angle) * q.loc + math.sin(angle) * side
        log_q = q.log_prob(z).item()
        factor = 1.0 if values == "one" else -log_q
        return factor * math.exp(log_q + log_area(dim - 1)) * math.sin(angle) ** (dim - 2)

    points = list(np.linspace(0.01, 3.1, 24))
    return scipy.integrate.quad(integrand, 0, math.pi, points=points, epsabs=1e-10, limit=200)[0]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("dim", "k"), [(2, 2.0), (3, 0.01), (3, 40.0), (10, 5.0)])
def test_densities_integrate_to_one_and_to_their_entropy(family: str, dim: int, k: float) -> None:
    with torch.no_grad():
        q = made(family, dim, k)
        assert over_the_sphere(q) == pytest.approx(1.0, abs=1e-8)
        assert over_the_sphere(q, "entropy") == pytest.approx(q.entropy().item(), abs=1e-7)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("dim", "k"), [(2, 3.0), (3, 0.05), (10, 5.0), (50, 80.0), (128, 500.0)])
def test_moments_and_their_slopes_are_exact_in_the_mean(family: str, dim: int, k: float) -> None:
    """O4. Seed 0, 20 000 samples, each check within 4 standard errors; dE[w]/dk = Var(w) by the samples' gradients.

    Differentiating the accepted proposal would miss that slope by 7.6 % at d = 10, k = 5: 30 standard errors.
    """
    q, samples = made(family, dim, k), 20_000
    k_S = torch.full((samples,), k, dtype=torch.float64, requires_grad=True)
    z = type(q)(q.loc, k_S).rsample()
    torch.testing.assert_close(z.norm(dim=-1), torch.ones_like(k_S))
    w = z @ q.loc
    (slope_S,) = torch.autograd.grad(w.sum(), k_S)
    (exact_slope,) = torch.autograd.grad(q.mean_cosine, q.concentration)
    if family == "von_mises_fisher":
        with mpmath.workdps(40):
            length = mean_length(dim, k)
            variance = float(1 - length**2 - (dim - 1) * length / k)
        assert q.mean_cosine.item() == pytest.approx(float(length), abs=1e-10)
        assert exact_slope.item() == pytest.approx(variance, rel=1e-8)
    else:
        a, b = (dim - 1) / 2 + k, (dim - 1) / 2
        variance = 4 * a * b / ((a + b) ** 2 * (a + b + 1))
        assert exact_slope.item() == pytest.approx(2 * b / (a + b) ** 2, rel=1e-12)

    def within(found_S: Tensor, exact: float, errors: float = 4.0) -> None:
        assert abs(found_S.mean().item() - exact) < errors * found_S.std().item() / samples**0.5

    with torch.no_grad():
        within(w, q.mean_cosine.item())
        within((w - q.mean_cosine).square(), variance)
        within(slope_S, exact_slope.item(), 3.0)
        for axis in (0, 1):
            within(z[:, axis], q.mean[axis].item())
            within((z[:, axis] - q.mean[axis]).square(), q.variance[axis].item())


def test_moments_have_the_constants_of_o4() -> None:
    """The values of the card: E[w] .42245015 and .73828661, Var(w) .06112560 and .00273234."""
    for dim, k, mean, variance in ((10, 5.0, 0.42245015, 0.06112560), (50, 80.0, 0.73828661, 0.00273234)):
        q = made("von_mises_fisher", dim, k)
        assert q.mean_cosine.item() == pytest.approx(mean, abs=1e-8)
        (slope,) = torch.autograd.grad(q.mean_cosine, q.concentration)
        assert slope.item() == pytest.approx(variance, abs=1e-8)


@pytest.mark.parametrize("k", [0.01, 1.0, 30.0, 500.0])
def test_samples_move_as_the_quantile_does_in_three_dimensions(k: float) -> None:
    """O18 for a sampler that rejects: w = 1 + log(u + (1-u) exp(-2k)) / k at the sample's own u, to 1e-7."""
    torch.manual_seed(1)
    k_S = torch.full((500,), k, dtype=torch.float64, requires_grad=True)
    w = (VonMisesFisher(direction(3), k_S).rsample() * direction(3)).sum(-1)
    (slope_S,) = torch.autograd.grad(w.sum(), k_S)
    u = ((k * (w.detach() - 1)).exp() - math.exp(-2 * k)) / -math.expm1(-2 * k)
    again = 1 + torch.log(u + (1 - u) * torch.exp(-2 * k_S)) / k_S
    (exact_S,) = torch.autograd.grad(again.sum(), k_S)
    torch.testing.assert_close(slope_S, exact_S, rtol=1e-7, atol=1e-9 / k**2)


@pytest.mark.parametrize(("dim", "k"), [(2, 4.0), (10, 5.0), (50, 80.0), (128, 500.0)])
def test_samples_move_as_the_numeric_quantile_does(dim: int, k: float) -> None:
    """O18: the von Mises-Fisher angle with its distribution function's value held, root found, central differences."""
    torch.manual_seed(2)
    k_S = torch.full((8,), k, dtype=torch.float64, requires_grad=True)
    q = VonMisesFisher(direction(dim), k_S)
    w_S = (q.rsample() * q.loc).sum(-1)
    (slope_S,) = torch.autograd.grad(w_S.sum(), k_S)
    grid = np.linspace(0, math.pi, 20_001)

    def below(kappa: float) -> scipy.interpolate.PPoly:
        log_p = (dim - 2) * np.log(np.maximum(np.sin(grid), 1e-300)) + kappa * np.cos(grid)
        cdf = scipy.interpolate.CubicSpline(grid, np.exp(log_p - log_p.max())).antiderivative()
        return scipy.interpolate.PPoly(cdf.c / cdf(math.pi), cdf.x)

    step = 1e-4 * k
    here, more, less = below(k), below(k + step), below(k - step)

    def quantile(cdf: scipy.interpolate.PPoly, level: float) -> float:
        return scipy.optimize.brentq(lambda angle: cdf(angle) - level, 1e-6, math.pi, xtol=1e-14)

    for w, slope in zip(w_S.tolist(), slope_S.tolist(), strict=True):
        high, low = (quantile(cdf, here(math.acos(w))) for cdf in (more, less))
        assert (math.cos(high) - math.cos(low)) / (2 * step) == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize(("dim", "k"), [(3, 0.5), (10, 5.0), (50, 80.0)])
def test_power_spherical_samples_move_as_the_beta_quantile_does(dim: int, k: float) -> None:
    torch.manual_seed(3)
    k_S = torch.full((200,), k, dtype=torch.float64, requires_grad=True)
    q = PowerSpherical(direction(dim), k_S)
    w_S = (q.rsample() * q.loc).sum(-1)
    (slope_S,) = torch.autograd.grad(w_S.sum(), k_S)
    b, step = (dim - 1) / 2, 1e-4 * k
    level = scipy.special.betainc(b + k, b, (1 + w_S.detach().numpy()) / 2)
    high, low = (2 * scipy.special.betaincinv(b + k + h, b, level) - 1 for h in (step, -step))
    np.testing.assert_allclose(slope_S.numpy(), (high - low) / (2 * step), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_in_the_direction_are_unbiased(family: str) -> None:
    """E[f(z)] for a quadratic f, whose exact gradient in an unnormalized direction is known; 4 standard errors."""
    torch.manual_seed(4)
    dim, k, samples = 6, 4.0, 20_000
    raw, matrix = torch.randn(dim, dtype=torch.float64), torch.randn(dim, dim, dtype=torch.float64)
    raw_SD = raw.expand(samples, dim).clone().requires_grad_()
    z = FAMILIES[family](raw_SD / raw_SD.norm(dim=-1, keepdim=True), torch.tensor(k, dtype=torch.float64)).rsample()
    (grad_SD,) = torch.autograd.grad(torch.einsum("si,ij,sj->", z, matrix, z), raw_SD)
    one = raw.clone().requires_grad_()
    loc = one / one.norm()
    q = FAMILIES[family](loc, torch.tensor(k, dtype=torch.float64))
    angle, p = q._quadrature()
    along = (p * torch.cos(angle).square()).sum() - (p * torch.sin(angle).square()).sum() / (dim - 1)
    (exact,) = torch.autograd.grad(along * (loc @ matrix @ loc), one)  # E[zz'] = along loc loc' + const I
    assert ((grad_SD.mean(0) - exact).abs() < 4 * grad_SD.std(0) / samples**0.5).all()


def test_von_mises_fisher_kl_to_another_agrees_with_quadrature_monte_carlo_and_its_gradient() -> None:
    """O6 in six dimensions. Seed 0, 200 000 samples, 3 standard errors."""
    torch.manual_seed(0)
    loc_q, loc_p = direction(6, 1), direction(6, 2)
    k = torch.tensor([12.0, 7.0], dtype=torch.float64, requires_grad=True)
    q, p = VonMisesFisher(loc_q, k[0]), VonMisesFisher(loc_p, k[1])
    kl = kl_divergence(q, p)
    exact = [scipy.special.ive(3, x) / scipy.special.ive(2, x) for x in (12.0, 7.0)]
    log_c = [2 * math.log(x) - 3 * math.log(2 * math.pi) - math.log(scipy.special.ive(2, x)) - x for x in (12.0, 7.0)]
    cosine = (loc_q @ loc_p).item()
    assert kl.item() == pytest.approx(log_c[0] - log_c[1] + exact[0] * (12.0 - 7.0 * cosine), abs=1e-10)
    assert kl_divergence(q, q).item() == pytest.approx(0.0, abs=1e-12)
    with torch.no_grad():
        z = q.sample((200_000,))
        ratio = q.log_prob(z) - p.log_prob(z)
    assert abs(ratio.mean() - kl) < 3 * ratio.std() / len(ratio) ** 0.5
    (grad,) = torch.autograd.grad(kl, k)
    samples = 20_000
    k_S2 = k.detach().expand(samples, 2).clone().requires_grad_()
    q_S, p_S = VonMisesFisher(loc_q, k_S2[:, 0]), VonMisesFisher(loc_p, k_S2[:, 1])
    z_SD = q_S.rsample()
    (grad_S2,) = torch.autograd.grad((q_S.log_prob(z_SD) - p_S.log_prob(z_SD)).sum(), k_S2)
    assert ((grad_S2.mean(0) - grad).abs() < 3 * grad_S2.std(0) / samples**0.5).all()


@pytest.mark.parametrize("dim", [2, 3])
def test_a_normal_of_zero_is_drawn_again(dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros in two of five draws, twice: both come out as other directions, whose signs are even, and none is lost.

    Seed 7, 20 000 draws of one direction each: shares of both signs within 4 standard errors of a half.
    """
    torch.manual_seed(7)
    randn, calls = torch.randn, [0]

    def with_zeros(*shape: object, **kwargs: object) -> Tensor:
        normals = randn(*shape, **kwargs)  # type: ignore[call-overload]
        calls[0] += 1
        if calls[0] <= 2:
            normals[::5] = 0.0
            normals[1::5] = 0.0
        return normals

    draws: dict[str, HypersphericalUniform | RotationallySymmetric] = {
        "uniform": HypersphericalUniform(dim),
        **{name: cls(direction(dim, dtype=torch.float32), torch.tensor(2.0)) for name, cls in FAMILIES.items()},
    }
    side = torch.linalg.svd(direction(dim, dtype=torch.float32).unsqueeze(0)).Vh[1]
    for name, q in draws.items():
        calls[0] = 0
        with monkeypatch.context() as patch:
            patch.setattr(torch, "randn", with_zeros)
            z_SD = q.rsample((20_000,))
        assert calls[0] == 3, name
        torch.testing.assert_close(z_SD.norm(dim=-1), torch.ones(20_000))
        for start in (0, 1, 2):
            positive = (z_SD[start::5] @ side > 0).float().mean().item()
            assert abs(positive - 0.5) < 4 * 0.5 / 4000**0.5, (name, start)


def test_the_rotation_is_exact_and_smooth_at_both_poles() -> None:
    torch.manual_seed(5)
    pole = torch.zeros(5, dtype=torch.float64)
    pole[0] = 1.0
    equator = torch.nn.functional.normalize(torch.randn(7, 4, dtype=torch.float64), dim=-1)
    angle = torch.rand(7, dtype=torch.float64) * math.pi
    for loc in (pole, -pole, direction(5), -direction(5)):
        loc = loc.clone().requires_grad_()
        z = from_pole(angle, equator, loc)
        torch.testing.assert_close(z @ loc, angle.cos())
        torch.testing.assert_close(z @ z.T, (angle.cos()[:, None] * angle.cos()) + (
            (angle.sin()[:, None] * angle.sin()) * (equator @ equator.T)
        ))  # fmt: skip
        (grad,) = torch.autograd.grad(z[:, 1].sum(), loc)
        assert grad.isfinite().all()


@pytest.mark.parametrize("family", FAMILIES)
def test_shapes_limits_and_refusals(family: str) -> None:
    cls = FAMILIES[family]
    q = cls(direction(4).expand(2, 3, 4), torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    assert q.batch_shape == (2, 3) and q.entropy().shape == q.kl_to_uniform().shape == (2, 3)
    assert q.rsample((5,)).shape == (5, 2, 3, 4) and q.expand((6, 2, 3)).rsample().shape == (6, 2, 3, 4)
    assert q.rows(1).batch_shape == (3,) and q.mean.shape == q.variance.shape == (2, 3, 4)
    torch.testing.assert_close(q.mode, q.center)
    uniform = cls(direction(4), torch.tensor(0.0, dtype=torch.float64))
    p = HypersphericalUniform(4, dtype=torch.float64)
    z = p.sample((3,))
    torch.testing.assert_close(uniform.log_prob(z), p.log_prob(z))
    assert uniform.rsample((2,)).norm(dim=-1).allclose(torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(kl_divergence(q, p.expand((7, 1, 1))), q.kl_to_uniform().expand(7, 2, 3))
    with pytest.raises(ValueError, match="spheres in 4 and 5 dimensions"):
        kl_divergence(q, HypersphericalUniform(5))
    assert cls(direction(4), torch.tensor(math.nan), validate_args=False).rsample().isnan().any()
    with pytest.raises(ValueError, match="loc"):
        cls(torch.ones(3), torch.tensor(1.0))
    with pytest.raises(ValueError, match="concentration"):
        cls(direction(3), torch.tensor(-1.0))
    with pytest.raises(ValueError, match="at least 2"):
        cls(torch.ones(1), torch.tensor(1.0))
    with pytest.raises(ValueError, match="support"):
        q.log_prob(2 * q.sample())


def test_the_uniform_is_uniform() -> None:
    """Seed 0, 50 000 samples: means 0 and variances 1/D within 4 standard errors."""
    p = HypersphericalUniform(5, (2,), dtype=torch.float64)
    z = p.rsample((50_000,))
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(50_000, 2, dtype=torch.float64))
    assert (z.mean(0).abs() < 4 * z.std(0) / 50_000**0.5).all()
    square = z.square()
    assert ((square.mean(0) - p.variance).abs() < 4 * square.std(0) / 50_000**0.5).all()
    assert p.log_prob(z).shape == (50_000, 2) and p.rows(torch.tensor([1])).batch_shape == (1,)
    assert p.log_prob(z)[0, 0].item() == pytest.approx(-math.log(8 * math.pi**2 / 3))
