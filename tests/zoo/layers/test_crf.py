import itertools

import keras
import numpy as np
import pytest
from keras import ops

from zoo.layers import CRF

BATCH, TIME, TAGS = 5, 6, 5
NAMES = ["O", "B-per", "I-per", "B-loc", "I-loc"]


def data(seed=0, scale=2.0):
    rng = np.random.default_rng(seed)
    logits = (scale * rng.normal(size=(BATCH, TIME, TAGS))).astype("float32")
    tags = rng.integers(0, TAGS, (BATCH, TIME)).astype("int32")
    mask = np.ones((BATCH, TIME), "bool")
    mask[1, 3:] = mask[2, :2] = mask[2, 4] = mask[3, 1:3] = mask[4] = False
    return logits, tags, mask


def made(**options):
    keras.utils.set_random_seed(1)
    options = {"transition_initializer": "glorot_normal", **options}
    crf = CRF(TAGS, **options)
    crf.build((None, None, TAGS))
    return crf


def array(x):
    return ops.convert_to_numpy(x)


def score(crf, logits, paths):
    """Scores of paths `(..., steps)` over one row's valid steps, by the equation."""
    weights = {w.name: array(w).astype("float64") for w in crf.weights}
    paths = np.asarray(paths, "int64")
    steps = paths.shape[-1]
    total = logits.astype("float64")[np.arange(steps), paths].sum(-1)
    total += weights["transitions"][paths[..., :-1], paths[..., 1:]].sum(-1)
    if crf.use_boundaries and steps:
        total += weights["start"][paths[..., 0]] + weights["end"][paths[..., -1]]
    return total


def is_legal(path):
    names = ["O", *(NAMES[tag] for tag in path)]
    return all(
        not name.startswith("I-") or (before != "O" and before[2:] == name[2:])
        for before, name in itertools.pairwise(names)
    )


def all_paths(crf, logits, legal_only=False):
    paths = itertools.product(range(TAGS), repeat=len(logits))
    paths = [path for path in paths if not legal_only or is_legal(path)]
    return paths, score(crf, logits, paths)


class TestEquation:
    @pytest.mark.parametrize("use_boundaries", [True, False])
    def test_likelihood(self, use_boundaries):
        crf, (logits, tags, mask) = made(use_boundaries=use_boundaries), data()
        got = array(crf(logits, tags=tags, mask=mask))
        total = array(crf.log_partition(logits, mask))
        for row in range(BATCH):
            x, path = logits[row, mask[row]], tags[row, mask[row]]
            want = np.logaddexp.reduce(all_paths(crf, x)[1])
            np.testing.assert_allclose(total[row], want, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(
                got[row], want - score(crf, x, path), rtol=1e-5, atol=1e-5
            )

    def test_decoding(self):
        crf, (logits, _, mask) = made(), data()
        tags, scores = crf.decode(logits, mask, return_score=True)
        np.testing.assert_array_equal(array(crf(logits, mask=mask)), array(tags))
        for row in range(BATCH):
            paths, want = all_paths(crf, logits[row, mask[row]])
            assert tuple(array(tags)[row, mask[row]]) == paths[np.argmax(want)]
            np.testing.assert_allclose(
                array(scores)[row], want.max(), rtol=1e-5, atol=1e-5
            )

    def test_marginals(self):
        crf, (logits, _, mask) = made(), data()
        got = array(crf.marginals(logits, mask))
        want = np.zeros_like(got)
        for row in range(BATCH):
            paths, scores = all_paths(crf, logits[row, mask[row]])
            chances = np.exp(scores - np.logaddexp.reduce(scores))
            for tag in range(TAGS):
                held = np.asarray(paths, "int64") == tag
                want[row, mask[row], tag] = chances @ held
        np.testing.assert_allclose(got, want, atol=1e-5)

    def test_without_a_mask_all_steps_count(self):
        crf, (logits, tags, mask) = made(), data()
        full = np.ones_like(mask)
        for call in (
            lambda **kw: crf(logits, **kw),
            lambda **kw: crf(logits, tags=tags, **kw),
            lambda **kw: crf.marginals(logits, **kw),
        ):
            np.testing.assert_array_equal(array(call()), array(call(mask=full)))

    def test_a_single_tag(self):
        crf = CRF(1)
        logits, tags = np.ones((2, 3, 1), "float32"), np.zeros((2, 3), "int32")
        np.testing.assert_allclose(array(crf(logits, tags=tags)), 0.0, atol=1e-6)
        np.testing.assert_array_equal(array(crf(logits)), tags)


class TestMask:
    def test_a_mask_may_be_a_list(self):
        crf, (logits, tags, mask) = made(), data()
        for call in (
            lambda mask: crf(logits, mask=mask),
            lambda mask: crf(logits, tags=tags, mask=mask),
            lambda mask: crf.marginals(logits, mask),
        ):
            np.testing.assert_array_equal(array(call(mask.tolist())), array(call(mask)))

    @pytest.mark.parametrize("junk", [np.nan, np.inf])
    def test_logits_that_count_must_be_finite(self, junk):
        crf, (logits, tags, mask) = made(), data()
        logits[0, 0] = junk
        mask[0, 0] = True
        for call in (
            lambda: crf(logits, mask=mask),
            lambda: crf(logits, tags=tags),
            lambda: crf.marginals(logits),
        ):
            with pytest.raises(ValueError, match=rf"'{crf.name}'.*finite.*\[0, 0, 0\]"):
                call()

    def test_padding_is_invisible(self):
        crf, (logits, tags, mask) = made(), data()
        junk = np.resize(np.float32([np.nan, 1e3, np.inf]), logits.shape)
        dirty = np.where(mask[..., None], logits, junk)
        other = np.where(mask, tags, np.resize([-100, 99], tags.shape))
        for clean, seen in (
            (crf(logits, tags=tags, mask=mask), crf(dirty, tags=other, mask=mask)),
            (crf(logits, mask=mask), crf(dirty, mask=mask)),
            (crf.marginals(logits, mask), crf.marginals(dirty, mask)),
        ):
            np.testing.assert_array_equal(array(clean), array(seen))

    def test_an_empty_row_costs_nothing(self):
        crf, (logits, tags, mask) = made(), data()
        assert array(crf(logits, tags=tags, mask=mask))[4] == 0
        assert array(crf.log_partition(logits, mask))[4] == 0

    def test_rows_do_not_mix(self):
        crf, (logits, tags, mask) = made(), data()
        for call in (
            lambda rows: crf(logits[rows], tags=tags[rows], mask=mask[rows]),
            lambda rows: crf(logits[rows], mask=mask[rows]),
            lambda rows: crf.marginals(logits[rows], mask[rows]),
        ):
            whole = array(call([0, 1, 2, 3, 4]))
            np.testing.assert_allclose(array(call([3, 0])), whole[[3, 0]], atol=1e-6)

    @pytest.mark.parametrize("dtype", ["int32", "float32"])
    def test_of_numbers(self, dtype):
        crf, (logits, tags, mask) = made(), data()
        np.testing.assert_array_equal(
            array(crf(logits, tags=tags, mask=mask.astype(dtype))),
            array(crf(logits, tags=tags, mask=mask)),
        )

    def test_implicit_mask_counts_in_decoding_and_likelihood(self):
        crf, (_, tags, _) = made(), data()
        ids = np.array(
            [[0, 0, 1, 2, 0, 3], [1, 2, 3, 1, 0, 0]] * 2 + [[0] * 6], "int32"
        )
        logits = keras.layers.Embedding(4, TAGS, mask_zero=True)(ids)
        bare = ops.convert_to_tensor(array(logits))
        for kw in ({}, {"tags": tags}):
            np.testing.assert_array_equal(
                array(crf(logits, **kw)), array(crf(bare, mask=ids != 0, **kw))
            )


class TestConstraints:
    def test_decoding_is_legal_and_best_among_the_legal(self):
        crf = made(tag_names=NAMES)
        for seed in range(5):
            logits, _, mask = data(seed)
            got = array(crf(logits, mask=mask))
            for row in range(BATCH):
                paths, scores = all_paths(crf, logits[row, mask[row]], legal_only=True)
                assert tuple(got[row, mask[row]]) == paths[np.argmax(scores)]

    def test_no_logits_are_large_enough_to_break_them(self):
        crf = made(tag_names=NAMES)
        logits = 1e30 * np.sign(data()[0])
        assert all(is_legal(path) for path in array(crf(logits)))

    def test_change_nothing_in_the_likelihood_by_default(self):
        logits, tags, mask = data()
        got = made(tag_names=NAMES)(logits, tags=tags, mask=mask)
        np.testing.assert_array_equal(
            array(got), array(made()(logits, tags=tags, mask=mask))
        )

    def test_likelihood_sums_over_legal_paths_only(self):
        crf = made(tag_names=NAMES, constrain_likelihood=True)
        logits, _, mask = data()
        tags = np.where(mask, array(crf(logits, mask=mask)), -1)
        got = array(crf(logits, tags=tags, mask=mask))
        for row in range(BATCH):
            x = logits[row, mask[row]]
            total = np.logaddexp.reduce(all_paths(crf, x, legal_only=True)[1])
            want = total - score(crf, x, tags[row, mask[row]])
            np.testing.assert_allclose(got[row], want, rtol=1e-5, atol=1e-5)

    def test_marginals_of_illegal_tags_are_zero(self):
        crf = made(tag_names=NAMES, constrain_likelihood=True)
        got = array(crf.marginals(data()[0]))
        assert not got[:, 0, [2, 4]].any()
        np.testing.assert_allclose(got.sum(-1), 1, rtol=1e-5)

    def test_illegal_given_tags_cost_much_but_not_everything(self):
        crf = made(tag_names=NAMES, constrain_likelihood=True)
        tags = np.full((BATCH, TIME), 2, "int32")  # starts with I-per
        cost = array(crf(data()[0], tags=tags))
        assert np.isfinite(cost).all() and (cost > 9e5).all()

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (["O", "B-per", "I-per"], "one name for each of its 5 tags"),
            (["O", "B-x", "I-x", "E-x", "S-x"], "write other schemes as BIO"),
            (["O", "O", "B-x", "I-x", "B-y"], "must be different"),
            (["O", "B-", "I-x", "B-x", "B-y"], "'B-x' or 'I-x'"),
            (["O", None, "I-x", "B-x", "B-y"], "must be different strings"),
            (["I-a", "I-b", "I-c", "I-d", "I-e"], "cannot start"),
        ],
    )
    def test_bad_names(self, names, message):
        with pytest.raises(ValueError, match=message):
            CRF(TAGS, tag_names=names)


class TestDtypes:
    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16"])
    def test_sums_are_float32(self, policy):
        logits, tags, mask = data(scale=30)
        crf, low = made(), made(dtype=policy)
        # Values that bfloat16 holds exactly: any difference comes from the sums.
        weights = [np.round(4 * array(w)) / 4 for w in crf.weights]
        crf.set_weights(weights)
        low.set_weights(weights)
        for kw in ({"tags": tags}, {}):
            got, want = (c(logits, mask=mask, **kw) for c in (low, crf))
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(array(got), array(want))

    def test_bfloat16_logits(self):
        crf, (logits, tags, mask) = made(dtype="mixed_bfloat16"), data()
        logits = ops.cast(logits, "bfloat16")
        got = crf(logits, tags=tags, mask=mask)
        assert keras.backend.standardize_dtype(got.dtype) == "float32"
        want = crf(ops.cast(logits, "float32"), tags=tags, mask=mask)
        np.testing.assert_array_equal(array(got), array(want))

    def test_large_logits_stay_finite(self):
        crf, (logits, tags, mask) = made(), data(scale=1e4)
        assert np.isfinite(array(crf(logits, tags=tags, mask=mask))).all()
        assert np.isfinite(array(crf.marginals(logits, mask))).all()
