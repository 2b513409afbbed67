"""What the benchmarks of scaling and of the pipeline count, they count right."""

import numpy as np
import pytest

from tasks.tpu.untrained import untrained
from tests.benchmark_scripts import load


@pytest.fixture(scope="module")
def scaling():
    return load("scaling")


@pytest.fixture(scope="module")
def pipeline():
    return load("pipeline")


@pytest.mark.parametrize("units", [8, 24])
def test_parameters_are_those_of_the_model(scaling, units):
    options = {"units": units, "embedding_dim": units, "vocabulary": scaling.VOCABULARY}
    made = untrained("language_modeling", options)
    assert scaling.parameters(units) == made.model.count_params()


def test_the_largest_size_is_the_last_that_the_line_leaves_room_for(scaling):
    def size(units):
        weights = 4 * scaling.parameters(units)
        return {
            "units": units,
            "trainable_bytes": weights,
            "needed_bytes": 1000 + 5 * weights,
            "available_bytes": 1000 + 20 * scaling.parameters(2048),
        }

    assert scaling.expected([size(512), size(1024)]) == 2048


def test_a_slice_has_rows_and_columns_of_chips(scaling):
    assert [scaling.chips_of(name) for name in scaling.SLICES] == [1, 4, 256]


class Batches:
    """Two batches of three rows, of which four hold something."""

    batch_size = 3

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return {"x": np.zeros(3)}, np.zeros(3)


def test_rows_that_hold_nothing_are_no_examples(pipeline):
    batches = Batches()
    assert pipeline.examples_of(batches) == 6
    batches.order = lambda: [[0, 1, 2], [3]]
    assert pipeline.examples_of(batches) == 4


def test_a_pipeline_that_gives_nothing_is_not_fast(pipeline):
    with pytest.raises(AssertionError, match="empty pipeline"):
        pipeline.alone([], 5, 0.01)
    assert pipeline.alone([1, 2], 5, 0.01) > 0


def test_every_shipped_kind_of_task_is_measured(pipeline):
    import zoo

    kinds = {zoo.card(name).data["task"] for name in zoo.list_models()}
    measured = {
        zoo.card(name).data["task"] if "." in name else name for name in pipeline.TASKS
    }
    assert kinds <= measured
