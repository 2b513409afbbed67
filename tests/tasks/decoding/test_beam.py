"""Beam search: greedy when narrow, exhaustive when wide, and always honest."""

import itertools
import math

import numpy as np
import pytest

from tasks.decoding.beam import BeamSearch
from tests.tasks.decoding.toy import END, SIZE, Toy


def greedy(toy, row, most):
    tokens = []
    while len(tokens) < most and tokens[-1:] != [END]:
        options = [toy.chances(row, [*tokens, k])[0][-1] for k in range(SIZE)]
        tokens.append(int(np.argmax(options)))
    return tokens


def all_sequences(most):
    others = [k for k in range(SIZE) if k != END]
    for length in range(most):
        for body in itertools.product(others, repeat=length):
            yield [*body, END]
    yield from map(list, itertools.product(others, repeat=most))


@pytest.mark.parametrize("seed", range(6))
def test_the_narrowest_search_is_greedy(seed):
    toy = Toy(seed, rows=3)
    answers, _ = toy.search(BeamSearch(1, 8, length_penalty=1.0))
    for row in range(3):
        assert answers[row][0][0] == greedy(toy, row, 8)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_wide_search_finds_what_there_is(seed, penalty):
    toy, most = Toy(seed), 3
    everything = list(all_sequences(most))
    how = BeamSearch(len(everything), most, length_penalty=penalty)
    answers, found = toy.search(how)
    for row in range(2):

        def score(tokens, row=row):
            total = toy.chances(row, tokens)[0].sum()
            return total / ((5 + len(tokens)) / 6) ** penalty

        wanted = sorted(everything, key=lambda tokens: -score(tokens))
        # All of them are found, each once, in the order of their scores.
        got = [tokens for tokens, _ in answers[row]]
        assert sorted(got) == sorted(wanted)
        np.testing.assert_allclose(
            found.scores[row], [score(tokens) for tokens in wanted], atol=1e-4
        )


@pytest.mark.parametrize("jit", [True, False])
def test_scores_are_those_of_the_model(jit):
    toy, how = Toy(1, likes_end=-1.0), BeamSearch(3, 9, length_penalty=0.7)
    mask = np.array([[True, True, False], [True, False, False]])
    answers, found = toy.search(how, mask, jit)
    for row, rank in itertools.product(range(2), range(3)):
        tokens, attention = answers[row][rank]
        chances, wanted = toy.chances(row, tokens)
        assert found.log_probabilities[row, rank] == pytest.approx(chances.sum(), 1e-4)
        scaled = chances.sum() / ((5 + len(tokens)) / 6) ** 0.7
        assert found.scores[row, rank] == pytest.approx(scaled, 1e-4)
        np.testing.assert_allclose(attention, wanted, atol=1e-5)
        assert END not in tokens[:-1]
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_coverage_ranks_what_attends_to_all_of_the_source():
    toy, mask = Toy(2, likes_end=-1.0), np.array([[True] * 3, [True, True, False]])
    how = BeamSearch(4, 8, length_penalty=0.0, coverage_penalty=2.0)
    answers, found = toy.search(how, mask)
    for row, rank in itertools.product(range(2), range(4)):
        tokens, _ = answers[row][rank]
        chances, attention = toy.chances(row, tokens)
        covered = np.minimum(attention.sum(0), 1)[mask[row]]
        wanted = chances.sum() + 2.0 * np.log(covered).sum()
        assert found.scores[row, rank] == pytest.approx(wanted, rel=1e-4)


def test_rows_do_not_see_each_other():
    many = Toy(3, rows=5)
    together, _ = many.search(BeamSearch(3, 7))
    for row in range(5):
        alone = Toy(3, rows=1)
        alone.starts = many.starts[row : row + 1]
        assert alone.search(BeamSearch(3, 7))[0][0] == together[row]


def test_the_end_waits_for_the_least_length():
    toy = Toy(4, likes_end=3.0)
    short, _ = toy.search(BeamSearch(2, 8))
    long, _ = toy.search(BeamSearch(2, 8, min_length=5))
    assert min(len(tokens) for tokens, _ in short[0]) < 5
    assert all(len(tokens) >= 5 for row in long for tokens, _ in row)


@pytest.mark.parametrize("width", [1, 3])
def test_a_row_ends_at_its_own_limit(width):
    toy, limits = Toy(5, rows=3, likes_end=-9.0), np.array([2, 7, 9], "int32")
    answers, found = toy.search(BeamSearch(width, 7), limits=limits)
    for row, limit in enumerate([2, 7, 7]):
        alone, wanted = toy.search(BeamSearch(width, limit))
        assert [tokens for tokens, _ in answers[row]] == [t for t, _ in alone[row]]
        np.testing.assert_allclose(found.scores[row], wanted.scores[row], rtol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_no_ngram_comes_twice(n):
    toy = Toy(5, likes_end=-9.0)
    free, _ = toy.search(BeamSearch(2, 3 * n))
    answers, _ = toy.search(BeamSearch(2, 3 * n, no_repeat_ngram=n))

    def repeats(tokens):
        grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
        return len(grams) - len(set(grams))

    assert any(repeats(tokens) for row in free for tokens, _ in row)
    assert not any(
        repeats(answer[0]) for row in answers for answer in row if answer is not None
    )


def test_fewer_sequences_than_asked_for_are_told():
    toy = Toy(6, rows=1)
    answers, found = toy.search(BeamSearch(8, 1))
    assert [a is None for a in answers[0]] == [False] * 4 + [True] * 4
    total = math.log(sum(np.exp(found.log_probabilities[0, :4])))
    assert total == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 0},
        {"max_length": 0},
        {"min_length": -1},
        {"no_repeat_ngram": 1.5},
        {"length_penalty": -1},
        {"coverage_penalty": math.inf},
        {"min_length": 100},
    ],
    ids=str,
)
def test_numbers_out_of_range_are_named(options):
    name = next(iter(options))
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        BeamSearch(**options)
