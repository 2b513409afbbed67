"""Quantiles, held against SciPy's."""

import numpy as np
import pytest

from tasks.forecast.distributions import (
    incomplete_beta,
    negative_binomial_quantile,
    student_t_quantile,
)

scipy_special = pytest.importorskip("scipy.special")
stats = pytest.importorskip("scipy.stats")
RANDOM = np.random.default_rng(0)


def test_the_incomplete_beta_function():
    a, b = RANDOM.uniform(0.05, 300, (2, 2000))
    x = RANDOM.uniform(0, 1, 2000)
    wanted = scipy_special.betainc(a, b, x)
    np.testing.assert_allclose(incomplete_beta(a, b, x), wanted, atol=1e-10)


def test_the_incomplete_beta_function_at_its_ends():
    np.testing.assert_array_equal(incomplete_beta(2.0, 3.0, [0.0, 1.0]), [0, 1])


@pytest.mark.parametrize("level", [0.001, 0.05, 0.1, 0.5, 0.9, 0.999])
def test_quantiles_of_student_t(level):
    freedom = np.array([2.0001, 2.5, 3, 7.7, 30, 1e3, 1e6])
    wanted = stats.t.ppf(level, freedom)
    found = student_t_quantile(level, freedom)
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("level", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_quantiles_of_counts(level):
    mean = RANDOM.uniform(0.05, 500, 300)
    dispersion = RANDOM.uniform(0.01, 4, 300)
    shape = 1 / dispersion
    wanted = stats.nbinom.ppf(level, shape, shape / (shape + mean))
    found = negative_binomial_quantile(level, mean, dispersion)
    np.testing.assert_array_equal(found, wanted)
