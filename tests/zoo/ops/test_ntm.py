import numpy as np
import pytest
from keras import ops

from zoo.ops.ntm import address, change, circular_shift, cosine_similarity, sharpen

BATCH, HEADS, SLOTS, WIDTH = 2, 3, 7, 4


def random(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


def weighting():
    powers = np.exp(random(BATCH, HEADS, SLOTS))
    return powers / powers.sum(-1, keepdims=True)


def run(function, *arrays):
    return ops.convert_to_numpy(function(*map(ops.convert_to_tensor, arrays)))


class TestCosineSimilarity:
    def test_is_one_for_what_points_the_same_way(self):
        memory = random(BATCH, SLOTS, WIDTH)
        found = run(cosine_similarity, 3 * memory[:, :HEADS], memory)
        for head in range(HEADS):
            np.testing.assert_allclose(found[:, head, head], 1, 1e-5)
        assert (np.abs(found) <= 1 + 1e-6).all()

    def test_is_minus_one_and_zero_for_what_does_not(self):
        memory = np.eye(WIDTH, dtype="float32")[None]
        keys = np.array([[[-2, 0, 0, 0]]], "float32")
        np.testing.assert_allclose(
            run(cosine_similarity, keys, memory), [[[-1, 0, 0, 0]]], atol=1e-6
        )

    def test_sees_the_direction_of_the_smallest_start(self):
        memory = np.full((1, SLOTS, WIDTH), 1e-6, "float32")
        found = run(cosine_similarity, np.ones((1, 1, WIDTH), "float32"), memory)
        np.testing.assert_allclose(found, 1, 1e-2)

    def test_is_zero_where_there_is_no_direction(self):
        memory = np.zeros((1, SLOTS, WIDTH), "float32")
        for keys in (np.ones((1, 1, WIDTH), "float32"), memory[:, :1]):
            assert not run(cosine_similarity, keys, memory).any()


class TestCircularShift:
    @pytest.mark.parametrize("move", [-2, -1, 0, 1, 2])
    def test_moves_all_slots_around(self, move):
        shifts = np.zeros((BATCH, HEADS, 5), "float32")
        shifts[..., move + 2] = 1
        w = weighting()
        found = run(circular_shift, w, shifts)
        np.testing.assert_array_equal(found, np.roll(w, move, -1))

    def test_mixes_moves(self):
        shifts = np.tile(np.array([0.5, 0.2, 0.3], "float32"), (BATCH, HEADS, 1))
        w = weighting()
        wanted = 0.5 * np.roll(w, -1, -1) + 0.2 * w + 0.3 * np.roll(w, 1, -1)
        np.testing.assert_allclose(run(circular_shift, w, shifts), wanted, 1e-6)

    def test_one_part_moves_nothing(self):
        w = weighting()
        found = run(circular_shift, w, np.ones((BATCH, HEADS, 1), "float32"))
        np.testing.assert_array_equal(found, w)


class TestSharpen:
    @pytest.mark.parametrize("gamma", [1.0, 2.5, 21.0])
    def test_is_a_normed_power(self, gamma):
        w = weighting()
        powers = w.astype("float64") ** gamma
        found = run(sharpen, w, np.full((BATCH, HEADS, 1), gamma, "float32"))
        np.testing.assert_allclose(
            found, powers / powers.sum(-1, keepdims=True), 1e-4, 1e-7
        )

    def test_where_all_powers_would_be_zero(self):
        w = np.full((1, 1, SLOTS), 1e-6, "float32")
        w[..., 2] = 2e-6
        found = run(sharpen, w, np.full((1, 1, 1), 21, "float32"))
        assert found[0, 0, 2] > 0.999

    def test_of_zeros_and_of_what_is_no_weighting(self):
        for w in (np.zeros((1, 1, SLOTS)), -np.ones((1, 1, SLOTS))):
            found = run(sharpen, w.astype("float32"), np.full((1, 1, 1), 3, "float32"))
            np.testing.assert_allclose(found, 1 / SLOTS, 1e-5)


class TestAddress:
    def parts(self, **other):
        one = np.ones((BATCH, HEADS, 1), "float32")
        stay = np.tile(np.array([0, 1, 0], "float32"), (BATCH, HEADS, 1))
        memory = random(BATCH, SLOTS, WIDTH)
        parts = {
            "memory": memory,
            "before": weighting(),
            "keys": memory[:, 4:],
            "strength": 200 * one,
            "gate": one,
            "shifts": stay,
            "gamma": one,
            **other,
        }
        return run(address, *parts.values())

    def test_finds_by_content(self):
        found = self.parts()
        assert (found.argmax(-1) == [4, 5, 6]).all() and (found.max(-1) > 0.9).all()

    def test_a_closed_gate_keeps_the_place(self):
        gate = np.zeros((BATCH, HEADS, 1), "float32")
        np.testing.assert_allclose(self.parts(gate=gate), weighting(), 1e-5)

    def test_moves_on_from_what_was_found(self):
        shifts = np.tile(np.array([0, 0, 1], "float32"), (BATCH, HEADS, 1))
        assert (self.parts(shifts=shifts).argmax(-1) == [5, 6, 0]).all()


class TestChange:
    def test_is_nothing_where_no_head_looks(self):
        w, parts = np.zeros((1, 2, SLOTS), "float32"), random(1, 2, WIDTH)
        w[0, 0, 1] = w[0, 1, 4] = 1
        erase = np.full((1, 2, WIDTH), 0.5, "float32")
        memory = random(1, SLOTS, WIDTH)
        found = run(change, memory, w, erase, parts)
        elsewhere = [0, 2, 3, 5, 6]
        assert not found[:, elsewhere].any()
        wanted = 0.5 * memory[0, [1, 4]] + parts[0]
        np.testing.assert_allclose((memory + found)[0, [1, 4]], wanted, 1e-5)

    def test_heads_erase_before_any_adds(self):
        """So their order does not matter."""
        memory, w = random(BATCH, SLOTS, WIDTH), weighting()
        erase = 1 / (1 + np.exp(-random(BATCH, HEADS, WIDTH)))
        add = random(BATCH, HEADS, WIDTH)[..., ::-1].copy()
        kept, added = memory, 0
        for head in range(HEADS):
            kept = kept * (1 - w[:, head, :, None] * erase[:, head, None])
            added = added + w[:, head, :, None] * add[:, head, None]
        found = run(change, memory, w, erase, add)
        np.testing.assert_allclose(memory + found, kept + added, 1e-4, 1e-5)
        swapped = [np.ascontiguousarray(x[:, ::-1]) for x in (w, erase, add)]
        np.testing.assert_allclose(run(change, memory, *swapped), found, 1e-4, 1e-5)
