import numpy as np
import pytest
from keras import ops

from tests.backend import BACKEND, double
from tests.operations import MODES, assert_is_gradient, cotangent, differentiate
from zoo.ops.bulk_scan import bulk_scan
from zoo.ops.lstm import tanh

TIME, BATCH, WIDTH, SOURCE = 5, 4, 3, 2
# Time first: no padding, right padding with a hole, left padding, an empty row.
MASK = np.array(
    [[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0], [1, 0, 1, 0], [1, 0, 1, 0]], "bool"
)
SHAPES = {
    "kernel": (2 * WIDTH, WIDTH),
    "rows": (BATCH, SOURCE, WIDTH),
    "values": (BATCH, SOURCE, WIDTH),
    "offset": (WIDTH,),
    "h": (BATCH, WIDTH),
    "count": (BATCH, 1),
    "x": (TIME, BATCH, WIDTH),
}
# How many sizes a graph does not know.
FREE = {"rows": 2, "values": 2, "h": 1, "count": 1, "x": 2}


def some_arrays():
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape) for name, shape in SHAPES.items()}


def step(multiply, vectors, state, now):
    """A matrix for all rows, one for each, one that is transposed; two states."""
    h, count = state
    x, absent, mask = now
    assert absent is None
    looked = tanh(multiply("rows", h, transpose=True))
    seen = multiply("values", looked)
    z = multiply("kernel", ops.concatenate([h, seen], -1))
    mask = ops.expand_dims(mask, -1)
    new = ops.where(mask, tanh(z + x + vectors["offset"]) * count, h)
    count = ops.where(mask, count + 1, count)
    return (new, count), (new * x, looked)


def scanned(reverse=False, compute_dtype=None):
    """From tensors to all results, flat and joined."""

    def run(kernel, rows, values, offset, h, count, x):
        batch, source = ops.shape(rows)[0], ops.shape(rows)[1]
        dtype = h.dtype
        state, emitted = bulk_scan(
            step,
            {"kernel": kernel, "rows": rows, "values": values},
            {"offset": offset},
            (h, count),
            (x, None, ops.convert_to_tensor(MASK)),
            (((batch, WIDTH), dtype), ((batch, source), dtype)),
            reverse,
            compute_dtype,
        )
        return ops.concatenate([ops.reshape(r, (-1,)) for r in (*state, *emitted)])

    return run


def oracle(reverse=False):
    """The same row by row and step by step in NumPy, masked steps left out."""

    def run(arrays):
        kernel, rows, values, offset = (arrays[n] for n in list(SHAPES)[:4])
        h, count = arrays["h"].copy(), arrays["count"].copy()
        shown = np.zeros((TIME, BATCH, WIDTH))
        looks = np.zeros((TIME, BATCH, SOURCE))
        for row in range(BATCH):
            for t in reversed(range(TIME)) if reverse else range(TIME):
                x = arrays["x"][t, row]
                looks[t, row] = np.tanh(rows[row] @ h[row])
                if MASK[t, row]:
                    seen = looks[t, row] @ values[row]
                    z = np.concatenate([h[row], seen]) @ kernel
                    h[row] = np.tanh(z + x + offset) * count[row]
                    count[row] += 1
                shown[t, row] = h[row] * x
        return np.concatenate([r.ravel() for r in (h, count, shown, looks)])

    return run


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_equals_the_loop_and_its_gradient_finite_differences(mode, reverse):
    arrays = some_arrays()
    wanted = oracle(reverse)(arrays)
    got, gradients = differentiate(scanned(reverse), arrays, wanted.shape, mode, FREE)
    np.testing.assert_allclose(got, wanted, 1e-12, 1e-12)
    assert_is_gradient(gradients, arrays, oracle(reverse))
    assert all(gradient.any() for gradient in gradients.values())
    # Of a row that is masked throughout, only what it holds and shows has gradients.
    assert not gradients["values"][-1].any()


def rounded(x):
    """To the digits of bfloat16, in float64."""
    with double():
        return ops.convert_to_numpy(ops.cast(ops.cast(x, "bfloat16"), "float64"))


@pytest.mark.parametrize("mode", MODES)
def test_half_precision_is_that_of_products_alone(mode):
    """Factors are rounded, those of the gradients' products too, and what comes out."""

    def run(kernel, h, x):
        def step(multiply, vectors, state, now):
            product = multiply("kernel", now[0])
            return (state[0] + product,), (product,)

        spec = ((ops.shape(h)[0], WIDTH), h.dtype)
        (h,), (shown,) = bulk_scan(
            step, {"kernel": kernel}, {}, (h,), (x,), (spec,), compute_dtype="bfloat16"
        )
        return ops.concatenate([shown, ops.expand_dims(h, 0)])

    arrays = {n: some_arrays()[n] for n in ("kernel", "h", "x")}
    arrays["kernel"] = arrays["kernel"][:WIDTH]
    free, shape = {"h": 1, "x": 2}, (TIME + 1, BATCH, WIDTH)
    got, gradients = differentiate(run, arrays, shape, mode, free)
    kernel, x = rounded(arrays["kernel"]), rounded(arrays["x"])
    np.testing.assert_allclose(got[:-1], x @ kernel, 2**-7)
    np.testing.assert_array_equal(got[:-1], rounded(got[:-1]))
    # The sum is none of bfloat16's.
    np.testing.assert_allclose(got[-1], arrays["h"] + got[:-1].sum(0), 1e-12)
    dy = rounded(cotangent(shape)[:-1] + cotangent(shape)[-1])
    wanted = np.einsum("tbi,tbo->io", x, dy)
    np.testing.assert_allclose(gradients["kernel"], wanted, 2**-7, 2**-7)
    np.testing.assert_allclose(gradients["x"], dy @ kernel.T, 2**-7, 2**-7)
    np.testing.assert_array_equal(gradients["h"], cotangent(shape)[-1])


def test_a_matrix_that_is_not_used_has_a_gradient_of_zeros():
    if BACKEND == "torch":
        pytest.skip("autograd has no gradient for what is not used")

    def run(used, other, h, x):
        def step(multiply, vectors, state, now):
            return (multiply("used", state[0]) + now[0],), ()

        (last,), outputs = bulk_scan(
            step, {"used": used, "other": other}, {}, (h,), (x,), ()
        )
        assert outputs == ()
        return last

    arrays = {n: np.eye(WIDTH) for n in ("used", "other")}
    arrays |= {n: some_arrays()[n] for n in ("h", "x")}
    got, gradients = differentiate(run, arrays, (BATCH, WIDTH), "eager", {})
    np.testing.assert_allclose(got, arrays["h"] + arrays["x"].sum(0), 1e-12)
    assert gradients["used"].any() and not gradients["other"].any()


@pytest.mark.skipif(BACKEND == "torch", reason="autograd takes both uses")
def test_a_matrix_that_is_used_twice_is_an_error():
    """One of its two gradients would be lost."""

    def twice(multiply, vectors, state, now):
        return (multiply("kernel", multiply("kernel", state[0])) + now[0],), ()

    with double(), pytest.raises(ValueError, match="uses 'kernel' twice"):
        x = ops.zeros((TIME, BATCH, WIDTH))
        bulk_scan(twice, {"kernel": ops.eye(WIDTH)}, {}, (x[0],), (x,), ())


@pytest.mark.skipif(BACKEND != "tensorflow", reason="compiled programs are read here")
def test_gradients_of_matrices_are_made_after_the_loop():
    """What a loop carries back are states and vectors, not sums for each matrix."""
    import tensorflow as tf

    arrays = [tf.constant(a) for a in some_arrays().values()]

    @tf.function
    def run(*values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            value = tf.reduce_sum(scanned()(*values) ** 2)
        return tape.gradient(value, values)

    graph = run.get_concrete_function(*arrays).graph
    loops = [op for op in graph.get_operations() if "While" in op.type]
    assert len(loops) == 2
    body = graph._get_function(loops[-1].get_attr("body").name).graph
    products = [
        tuple(out.shape)
        for op in body.get_operations()
        if op.type in ("MatMul", "BatchMatMulV2")
        for out in op.outputs
    ]
    assert products and SHAPES["kernel"] not in products
