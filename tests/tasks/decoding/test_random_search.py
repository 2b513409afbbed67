"""Sequences drawn at random: as often as the model says, and the same ones again."""

import numpy as np
import pytest

from tasks.decoding.beam import BeamSearch
from tasks.decoding.random_search import RandomSearch, search_of
from tasks.decoding.sampling import Sampling
from tests.tasks.decoding.toy import END, Toy

MASK = np.array([[True, True, False], [True, False, False]])


def drawn(toy, how, keys=(7, 8), **more):
    return toy.search(how, **how.chance(keys, toy.rows), **more)


def test_sequences_come_as_often_as_the_model_says():
    toy, how = Toy(1, likes_end=1.0), RandomSearch(width=4000, max_length=2)
    answers, _ = drawn(toy, how)
    for row in range(2):
        counts = {}
        for tokens, _ in answers[row]:
            counts[tuple(tokens)] = counts.get(tuple(tokens), 0) + 1
        for tokens, count in counts.items():
            chance = np.exp(toy.chances(row, tokens)[0].sum())
            deviation = np.sqrt(chance * (1 - chance) / 4000)
            assert abs(count / 4000 - chance) < 5 * deviation + 1e-4


@pytest.mark.parametrize("jit", [True, False])
def test_scores_are_those_of_the_model(jit):
    toy, how = Toy(2, likes_end=-1.0), RandomSearch(width=3, max_length=9)
    answers, found = drawn(toy, how, mask=MASK, jit=jit)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    for row in range(2):
        for rank in range(3):
            tokens, attention = answers[row][rank]
            chances, wanted = toy.chances(row, tokens)
            assert found.scores[row, rank] == pytest.approx(chances.sum(), 1e-4)
            np.testing.assert_allclose(attention, wanted, atol=1e-5)
            assert END not in tokens[:-1]
            assert tokens[-1] == END or len(tokens) == 9


def test_without_chance_it_is_greedy():
    toy = Toy(3)
    found, _ = drawn(toy, RandomSearch(Sampling(temperature=0), max_length=8))
    wanted, _ = toy.search(BeamSearch(1, 8))
    assert [row[0][0] for row in found] == [row[0][0] for row in wanted]


def test_seed_and_key_decide_alone():
    how = RandomSearch(width=2, max_length=9)
    toy = Toy(4, rows=2, likes_end=-1.0)
    first, _ = drawn(toy, how)
    assert drawn(toy, how)[0] == first
    assert drawn(toy, RandomSearch(width=2, max_length=9, seed=1))[0] != first
    alone = Toy(4, rows=1, likes_end=-1.0)
    alone.starts = toy.starts[1:]
    assert drawn(alone, how, keys=[8])[0][0] == first[1]


def test_lengths_are_kept():
    toy, limits = Toy(5, likes_end=2.0), np.array([4, 6], "int32")
    how = RandomSearch(width=50, max_length=6, min_length=3)
    answers, _ = drawn(toy, how, limits=limits)
    for row, limit in zip(answers, limits, strict=True):
        assert {len(tokens) for tokens, _ in row} == set(range(3, limit + 1))


@pytest.mark.parametrize(
    "options", [{"width": 0}, {"seed": -1}, {"min_length": 100}], ids=str
)
def test_numbers_out_of_range_are_named(options):
    with pytest.raises(ValueError, match=f"`{next(iter(options))}`.*Received"):
        RandomSearch(**options)


def test_limits_of_chance_need_a_temperature():
    with pytest.raises(ValueError, match="give a `temperature`"):
        search_of(top_k=3)
    assert search_of(2, temperature=1.0, top_k=3).sampling == Sampling(1.0, 3)
