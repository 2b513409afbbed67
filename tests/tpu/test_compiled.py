"""The TPU's own compiler takes every step of every task, from both backends.

What it makes is not run: no test here has seen a TPU.
"""

import functools
import importlib.util

import pytest

from tasks.tpu.check import BACKENDS, check
from tasks.tpu.report import faults
from tasks.tpu.untrained import NAMES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("libtpu") is None,
        reason="libtpu, the TPU's compiler, is not installed: pip install '.[tpu]'",
    ),
]
SMALL = {
    "captioning": {
        "units": 16,
        "picture_size": 32,
        "feature_options": {"blocks": 2, "width": 0.5, "head": False},
        "vocabulary": 50,
    },
    "forecasting": {"units": 16, "segment_length": 24},
    "language_modeling": {"units": 16, "vocabulary": 50},
    "ner": {"units": 16, "vocabulary": 50},
    "speech_recognition": {"units": 16},
    "text_classification": {"units": 16, "vocabulary": 50},
    "translation": {"units": 16, "embedding_dim": 16, "vocabulary": 50},
}
ANSWERS = {
    "captioning": ["see", "beam search"],
    "language_modeling": ["score", "read a prompt", "generate"],
    "translation": ["beam search"],
}
EVERY = [(name, backend) for name in NAMES for backend in BACKENDS]
ROWS = 16


@functools.cache
def compiled(name, backend):
    """What was found of a small task's steps, on one chip and on four."""
    return list(
        check(name, backends=[backend], batch=ROWS, length=12, options=SMALL[name])
    )


def training(name, backend):
    """What was found of training: on one chip, and on four."""
    steps = [found for found in compiled(name, backend) if found["step"] == "train"]
    assert [found["topology"] for found in steps] == ["1x1", "2x2"]
    return steps


@pytest.mark.parametrize("name, backend", EVERY)
class TestTasks:
    def test_all_steps_are_compiled(self, name, backend):
        wanted = ["train", *ANSWERS.get(name, ["predict"])]
        found = [(f["step"], f["topology"]) for f in compiled(name, backend)]
        assert found == [(step, t) for step in wanted for t in ("1x1", "2x2")]
        assert {f["backend"] for f in compiled(name, backend)} == {backend}

    def test_nothing_speaks_against_them(self, name, backend):
        told = {f["step"]: faults(f) for f in compiled(name, backend)}
        assert not any(told.values()), told

    def test_one_chip_tells_others_nothing(self, name, backend):
        for found in compiled(name, backend):
            assert found["topology"] != "1x1" or not found["collectives"]

    def test_four_chips_add_up_their_gradients(self, name, backend):
        _, four = training(name, backend)
        assert four["collectives"].get("all-reduce", 0) > 0

    def test_four_chips_have_a_quarter_of_the_rows_each(self, name, backend):
        one, four = training(name, backend)
        assert (one["sizes"]["rows"], four["sizes"]["rows"]) == (ROWS, ROWS / 4)
        assert four["flops"] < one["flops"]

    def test_memory_holds_weights_and_both_moments_of_adam(self, name, backend):
        one, _ = training(name, backend)
        assert one["needed_bytes"] > 3 * one["trainable_bytes"] > 0


def test_other_chips_have_more_memory():
    (v6e,) = check(
        "ner",
        "v6e",
        ["1x1"],
        ["jax"],
        batch=ROWS,
        length=8,
        options=SMALL["ner"],
        steps=["predict"],
    )
    assert v6e["available_bytes"] > compiled("ner", "jax")[0]["available_bytes"]


def test_what_is_too_large_says_by_how_much():
    (found,) = check(
        "ner",
        topologies=["1x1"],
        backends=["jax"],
        batch=2**20,
        length=512,
        options=SMALL["ner"],
        steps=["predict"],
    )
    (said,) = faults(found)
    assert said.startswith("does not fit: needs ")
    assert found["needed_bytes"] > found["available_bytes"] > 2**33


def test_a_batch_that_chips_cannot_share_is_refused():
    with pytest.raises(ValueError, match="multiple of 4. Received: 6 rows"):
        list(
            check(
                "forecasting",
                topologies=["2x2"],
                backends=["jax"],
                batch=6,
                options=SMALL["forecasting"],
            )
        )


def test_a_slice_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="no slice 3x5 of v5e"):
        list(check("forecasting", topologies=["3x5"], backends=["jax"]))
