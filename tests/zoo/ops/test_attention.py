import numpy as np
import pytest
from keras import ops

from tests.backend import BACKEND, double
from tests.operations import MODES, assert_is_gradient, differentiate
from tests.references.attention import softmax
from zoo.ops.attention import (
    Products,
    additive_scores,
    location_features,
    masked_softmax,
    product,
)

BATCH, QUERIES, SOURCE, WIDTH, UNITS = 5, 3, 6, 4, 2
# Padding on both sides, a hole, holes with padding, and a row without a valid place.
MASK = np.array(
    [
        [1, 1, 1, 1, 1, 1],
        [0, 0, 1, 1, 1, 0],
        [1, 1, 0, 1, 1, 1],
        [0, 1, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0],
    ],
    "bool",
)


def random(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape)


def check(function, oracle, arrays, mode, free):
    """Values equal an oracle's, gradients its finite differences, in float64."""
    wanted = oracle(arrays)
    got, gradients = differentiate(function, arrays, wanted.shape, mode, free)
    assert got.dtype == "float64"
    np.testing.assert_allclose(got, wanted, 1e-12, 1e-12)
    assert_is_gradient(gradients, arrays, oracle)
    return gradients


def rows_of_softmax(scores, mask=None):
    """The reference's softmax for each row of scores."""
    mask = np.ones(scores.shape, "bool") if mask is None else mask
    mask = np.broadcast_to(mask, scores.shape)
    found = np.zeros(scores.shape)
    for place in np.ndindex(scores.shape[:-1]):
        found[place] = softmax(scores[place], mask[place])
    return found


class TestMaskedSoftmax:
    @pytest.mark.parametrize("masked", [False, True])
    def test_infinite_scores_share_the_weight(self, masked):
        scores = np.array([[np.inf, 1, np.inf], [-np.inf, 3, 1], [0, -np.inf, 0]], "f4")
        mask = np.ones(scores.shape, "bool") if masked else None
        found = ops.convert_to_numpy(
            masked_softmax(ops.convert_to_tensor(scores), mask)
        )
        wanted = [
            [0.5, 0, 0.5],
            [0, *softmax(np.array([3.0, 1.0]), None)],
            [0.5, 0, 0.5],
        ]
        np.testing.assert_allclose(found, wanted, 1e-5, 1e-7)

    @pytest.mark.parametrize("masked", [False, True])
    @pytest.mark.parametrize("mode", MODES)
    def test_equals_the_reference(self, mode, masked):
        mask = MASK if masked else None
        gradients = check(
            lambda scores: masked_softmax(scores, mask),
            lambda arrays: rows_of_softmax(arrays["scores"], mask),
            {"scores": 3 * random(BATCH, SOURCE)},
            mode,
            # A mask is a constant here, of the number of rows there are.
            {"scores": 0 if masked else 2},
        )
        if masked:
            assert not gradients["scores"][~MASK].any()

    def test_a_mask_for_all_queries_of_a_row(self):
        scores, mask = random(BATCH, QUERIES, SOURCE), MASK[:, None]
        with double():
            found = masked_softmax(ops.convert_to_tensor(scores), mask)
        wanted = rows_of_softmax(scores, mask)
        np.testing.assert_allclose(ops.convert_to_numpy(found), wanted, 1e-12)

    @pytest.mark.parametrize("sign", [-1, 1])
    @pytest.mark.parametrize("scale", [1e4, 3e38])
    def test_large_scores_stay_finite(self, scale, sign):
        """Masked places may have the largest: what is not seen must not count."""
        scores = np.where(MASK, sign, -sign) * scale
        scores = ops.convert_to_tensor(scores.astype("float32"))
        found = ops.convert_to_numpy(masked_softmax(scores, MASK))
        assert not found[~MASK].any()
        np.testing.assert_allclose(found.sum(-1), [1, 1, 1, 1, 0], 1e-6)

    def test_what_stands_at_masked_places_is_not_read(self):
        scores = random(BATCH, SOURCE)
        with double():
            clean, dirty = (
                ops.convert_to_numpy(
                    masked_softmax(
                        ops.convert_to_tensor(np.where(MASK, scores, junk)), MASK
                    )
                )
                for junk in (0.0, np.nan)
            )
        np.testing.assert_array_equal(clean, dirty)


@pytest.mark.parametrize("mode", MODES)
def test_additive_scores(mode):
    check(
        additive_scores,
        lambda arrays: np.tanh(arrays["features"]) @ arrays["vector"],
        {"features": random(BATCH, SOURCE, WIDTH), "vector": random(WIDTH)},
        mode,
        {"features": 2},
    )


class TestLocationFeatures:
    @pytest.mark.parametrize("width", [1, 2, 3, 5])
    @pytest.mark.parametrize("mode", MODES)
    def test_equals_the_convolution_place_by_place(self, mode, width):
        """Where a width is even, the further half lies ahead, as Keras has it."""

        def oracle(arrays):
            kernel, left = arrays["kernel"], (width - 1) // 2
            seen = np.stack([arrays["first"], arrays["second"]], -1)
            found = np.zeros((BATCH, SOURCE, UNITS))
            for j in range(SOURCE):
                for k in range(width):
                    if 0 <= j + k - left < SOURCE:
                        found[:, j] += seen[:, j + k - left] @ kernel[k]
            return found

        check(
            lambda first, second, kernel: location_features([first, second], kernel),
            oracle,
            {
                "first": random(BATCH, SOURCE),
                "second": random(BATCH, SOURCE, 1)[..., 0],
                "kernel": random(width, 2, UNITS),
            },
            mode,
            {"first": 2, "second": 2},
        )


# Names of axes of x, of the matrix, and of their product.
PRODUCTS = {
    "a matrix": ("bi", "io"),
    "a matrix and many queries": ("bqi", "io"),
    "a matrix for each row": ("bi", "bio"),
    "a matrix for each row and many queries": ("bqi", "bio"),
}
SIZES = {"b": BATCH, "q": QUERIES, "i": WIDTH, "o": UNITS}


class TestProduct:
    @pytest.mark.parametrize("transpose", [False, True])
    @pytest.mark.parametrize("case", PRODUCTS)
    @pytest.mark.parametrize("mode", MODES)
    def test_equals_the_sum(self, mode, case, transpose):
        x, matrix = PRODUCTS[case]
        result = x.replace("i", "o")
        if transpose:
            matrix = matrix.replace("io", "oi")
        rows = {"x": len(x) - 1, "matrix": len(matrix) - 2}
        check(
            lambda x, matrix: product(x, matrix, transpose),
            lambda arrays: np.einsum(f"{x},{matrix}->{result}", *arrays.values()),
            {
                name: random(*(SIZES[axis] for axis in axes))
                for name, axes in {"x": x, "matrix": matrix}.items()
            },
            mode,
            rows,
        )

    def test_half_precision_is_that_of_the_product_alone(self):
        """Factors are rounded, and so is the result, which keeps the dtype of `x`."""
        x, matrix = random(BATCH, WIDTH), random(WIDTH, UNITS, 1)[..., 0]
        x, matrix = (ops.convert_to_tensor(a.astype("float32")) for a in (x, matrix))
        got = ops.convert_to_numpy(product(x, matrix, compute_dtype="bfloat16"))
        assert got.dtype == "float32"
        rounded = [ops.cast(ops.cast(a, "bfloat16"), "float32") for a in (x, matrix)]
        wanted = ops.convert_to_numpy(rounded[0] @ rounded[1])
        np.testing.assert_allclose(got, wanted, 2**-7)
        assert (got != ops.convert_to_numpy(x @ matrix)).any()

    def test_matrices_are_called_by_name(self):
        matrices = {"in": random(WIDTH, UNITS), "rows": random(BATCH, SOURCE, WIDTH)}
        x = random(BATCH, WIDTH)
        with double():
            multiply = Products(
                {k: ops.convert_to_tensor(m) for k, m in matrices.items()}
            )
            tensor = ops.convert_to_tensor(x)
            first = ops.convert_to_numpy(multiply("in", tensor))
            second = ops.convert_to_numpy(multiply("rows", tensor, transpose=True))
        np.testing.assert_allclose(first, x @ matrices["in"], 1e-12)
        wanted = np.einsum("bi,boi->bo", x, matrices["rows"])
        np.testing.assert_allclose(second, wanted, 1e-12)
        with pytest.raises(KeyError, match="out"):
            multiply("out", tensor)


def test_a_row_of_padding_alone_has_no_gradient():
    """Not even where scores are such that a division by the sum would be by zero."""
    scores = np.where(MASK, random(BATCH, SOURCE), -1e30)
    _, gradients = differentiate(
        lambda scores: masked_softmax(scores, MASK),
        {"scores": scores},
        scores.shape,
        MODES[-1],
        {},
    )
    assert np.isfinite(gradients["scores"]).all()
    assert not gradients["scores"][-1].any(), BACKEND
