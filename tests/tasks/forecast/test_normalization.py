"""Normalisation of windows, in NumPy beside."""

import keras
import numpy as np
import pytest

from tasks.forecast.normalization import NORMALIZATIONS, ReversibleNormalization

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)
RANDOM = np.random.default_rng(0)
VALUES = RANDOM.normal(5, 2, (4, 9)).astype("float32")
MASK = RANDOM.random((4, 9)) < 0.7
MASK[:, 4] = True


def run(kind, values=VALUES, mask=MASK):
    layer = ReversibleNormalization(kind)
    return [keras.ops.convert_to_numpy(x) for x in layer(values, mask=mask)]


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_it_can_be_undone(kind):
    normalised, location, scale = run(kind)
    found = normalised * scale + location
    np.testing.assert_allclose(found[MASK], VALUES[MASK], rtol=1e-5)
    assert (normalised[~MASK] == 0).all()


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_what_stands_where_values_are_missing_does_not_matter(kind):
    other = np.where(MASK, VALUES, np.float32(np.nan))
    for a, b in zip(run(kind), run(kind, other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_statistics_are_those_of_the_values_there_are():
    for row, mask, mean, std, size, last in zip(
        VALUES,
        MASK,
        run("instance")[1],
        run("instance")[2],
        run("scale")[2],
        run("last")[1],
        strict=True,
    ):
        known = row[mask]
        assert mean[0] == pytest.approx(known.mean(), rel=1e-5)
        assert std[0] == pytest.approx(known.std(), rel=1e-4)
        assert size[0] == pytest.approx(np.abs(known).mean(), rel=1e-5)
        assert last[0] == known[-1]


@pytest.mark.parametrize("kind", NORMALIZATIONS)
@pytest.mark.parametrize("value", [0.0, 7.0, 1e30, -1e-30])
def test_constant_windows_stay_finite(kind, value):
    values = np.full((1, 9), value, "float32")
    found = run(kind, values, np.ones((1, 9), bool))
    assert all(np.isfinite(x).all() for x in found)
    assert found[2].min() > 0


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_windows_without_values_stay_finite(kind):
    normalised, location, scale = run(kind, mask=np.zeros((4, 9), bool))
    assert (normalised == 0).all() and (location == 0).all() and (scale == 1).all()


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_in_a_graph_it_is_the_same(kind):
    values = keras.Input((9,))
    mask = keras.Input((9,), dtype="bool")
    outputs = ReversibleNormalization(kind)(values, mask=mask)
    found = keras.Model([values, mask], outputs)([VALUES, MASK])
    for a, b in zip(found, run(kind), strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(a), b, rtol=1e-5)


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="instance.*robust"):
        ReversibleNormalization("robust")


def test_config_keeps_the_kind():
    layer = ReversibleNormalization("last", name="n")
    assert ReversibleNormalization.from_config(layer.get_config()).kind == "last"
