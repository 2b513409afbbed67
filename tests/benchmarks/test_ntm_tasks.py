"""The batches of the Neural Turing Machine's tasks ask what the paper asks."""

import numpy as np
import pytest

from tests.benchmark_scripts import load

TASKS, BATCH = load("papers/ntm_tasks").TASKS, 5


def made(name, *size, more=0):
    """A batch with `more` steps of padding, and each of its rows."""
    task, random = TASKS[name], np.random.default_rng(0)
    batch = task.make(random, BATCH, task.steps(*size) + more, *size)
    return batch, list(zip(*batch, strict=True))


@pytest.mark.parametrize("name", TASKS)
def test_padding_is_masked_and_not_scored(name):
    task = TASKS[name]
    for size in (task.longest, *task.tests):
        (inputs, mask, targets, scored), _ = made(name, *size, more=3)
        steps = task.steps(*size)
        assert inputs.shape == (BATCH, steps + 3, task.channels)
        assert targets.shape == (BATCH, steps + 3, task.outputs)
        assert mask[:, :steps].all() and not mask[:, steps:].any()
        for x in (inputs, targets, scored):
            assert not x[:, steps:].any()
        assert scored[:, steps - 1].all(), "the sequence ends with an answer"
        assert not (inputs.any(-1) & (scored > 0)).any(), "nothing is shown meanwhile"


@pytest.mark.parametrize("name", TASKS)
def test_sizes_in_training_reach_the_longest_and_no_further(name):
    task, random = TASKS[name], np.random.default_rng(0)
    sizes = np.array([task.random_size(random) for _ in range(2000)])
    np.testing.assert_array_equal(sizes.max(0), task.longest)
    assert (sizes.min(0) == (2 if name == "associative_recall" else 1)).all()


def test_copy_wants_what_was_shown():
    for inputs, _, targets, scored in made("copy", 7, more=2)[1]:
        np.testing.assert_array_equal(targets[scored > 0], inputs[:7, :8])
        assert list(np.flatnonzero(inputs[:, 8])) == [7]
        assert 0 < targets.sum() < 7 * 8


def test_repeat_copy_wants_it_again_and_an_end():
    for inputs, _, targets, scored in made("repeat_copy", 4, 3)[1]:
        wanted = targets[scored > 0]
        np.testing.assert_array_equal(wanted[:-1, :8], np.tile(inputs[:4, :8], (3, 1)))
        assert not wanted[:-1, 8].any()
        np.testing.assert_array_equal(wanted[-1], [0] * 8 + [1])


def test_repeat_copy_tells_the_number_with_mean_0_and_deviation_1():
    told = [made("repeat_copy", 4, n)[0][0][0, 4, 9] for n in range(1, 11)]
    np.testing.assert_allclose([np.mean(told), np.std(told)], [0, 1], atol=1e-6)


def test_associative_recall_wants_the_item_after_the_one_asked_for():
    for inputs, _, targets, scored in made("associative_recall", 6)[1]:
        starts = np.flatnonzero(inputs[:, 6])
        items = [inputs[t + 1 : t + 4, :6] for t in starts]
        first, last = np.flatnonzero(inputs[:, 7])
        query = inputs[first + 1 : last, :6]
        found = [k for k, item in enumerate(items) if (item == query).all()]
        wanted = targets[scored > 0]
        assert len(items) == 6 and wanted.shape == query.shape == (3, 6)
        assert any((items[k + 1] == wanted).all() for k in found if k < 5)


def test_a_batch_is_known_by_its_seed():
    for name, task in TASKS.items():
        one, same = made(name, *task.longest)[0], made(name, *task.longest)[0]
        for a, b in zip(one, same, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", TASKS)
def test_a_curriculum_begins_small_and_ends_with_all_sizes(name):
    batch, task = load("papers/ntm").training_batch, TASKS[name]

    def longest(steps):
        masks = [batch(task, 1, step, curriculum=400)[0][1] for step in steps]
        return max(mask.sum(1).max() for mask in masks)

    every = [batch(task, 1, step)[0][1].sum(1).max() for step in range(400, 600)]
    assert longest(range(20)) <= max(every) / 2
    assert longest(range(400, 600)) == max(every) == task.steps(*task.longest)
