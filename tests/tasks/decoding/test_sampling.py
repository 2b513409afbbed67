"""How a token is chosen: limits hold, and frequencies are those asked for."""

import numpy as np
import pytest
from keras import ops

from tasks.decoding.sampling import Sampling

PROBABILITIES = np.array([0.05, 0.4, 0.25, 0.2, 0.1])
NOTHING = np.zeros(5, bool)


def frequencies(how, forbidden=NOTHING, seen=None, logits=None, count=4000):
    """How often each token is drawn for evenly spread random numbers."""
    logits = np.log(PROBABILITIES) if logits is None else logits
    uniform = (np.arange(count) + 0.5) / count
    chosen, sure = how.choose(
        ops.convert_to_tensor(np.tile(logits, (count, 1)).astype("float32")),
        ops.convert_to_tensor(uniform.astype("float32")),
        ops.convert_to_tensor(forbidden),
        *(() if seen is None else [ops.convert_to_tensor(np.tile(seen, (count, 1)))]),
    )
    chosen = ops.convert_to_numpy(chosen)
    believed = logits - np.log(np.exp(logits).sum())
    np.testing.assert_allclose(ops.convert_to_numpy(sure), believed[chosen], atol=1e-5)
    return np.bincount(chosen, minlength=5) / count


def normal(weights):
    return np.array(weights) / np.sum(weights)


@pytest.mark.parametrize(
    "how, wanted",
    [
        (Sampling(), PROBABILITIES),
        (Sampling(temperature=0.5), normal(PROBABILITIES**2)),
        (Sampling(top_k=2), normal([0, 0.4, 0.25, 0, 0])),
        (Sampling(top_k=9), PROBABILITIES),
        (Sampling(top_p=0.5), normal([0, 0.4, 0.25, 0, 0])),
        (Sampling(top_p=0.66), normal([0, 0.4, 0.25, 0.2, 0])),
        (Sampling(top_p=0.01), [0, 1, 0, 0, 0]),
        (Sampling(temperature=0), [0, 1, 0, 0, 0]),
        (Sampling(top_k=3, top_p=0.5), normal([0, 0.4, 0.25, 0, 0])),
    ],
    ids=str,
)
def test_tokens_come_as_often_as_they_should(how, wanted):
    np.testing.assert_allclose(frequencies(how), wanted, atol=2e-3)


def test_forbidden_tokens_never_come():
    forbidden = np.array([False, True, False, False, True])
    wanted = normal([0.05, 0, 0.25, 0.2, 0])
    np.testing.assert_allclose(frequencies(Sampling(), forbidden), wanted, atol=2e-3)
    assert frequencies(Sampling(temperature=0), forbidden)[2] == 1


def test_what_has_come_before_costs():
    logits = np.array([1.0, 2.0, -1.0, 0.0, 0.5])
    seen = np.array([False, True, True, False, False])
    changed = np.where(logits > 0, logits / 2, logits * 2)
    wanted = normal(np.exp(np.where(seen, changed, logits)))
    found = frequencies(Sampling(repetition_penalty=2.0), seen=seen, logits=logits)
    np.testing.assert_allclose(found, wanted, atol=2e-3)


@pytest.mark.parametrize("uniform", [0.0, 1.0])
def test_the_ends_of_chance_stay_within_the_limits(uniform):
    logits = ops.convert_to_tensor(np.log(PROBABILITIES)[None].astype("float32"))
    forbidden = ops.convert_to_tensor(np.array([True, False, False, False, True]))
    chosen, _ = Sampling().choose(
        logits, ops.convert_to_tensor(np.array([uniform], "float32")), forbidden
    )
    assert int(ops.convert_to_numpy(chosen)[0]) in (1, 2, 3)
