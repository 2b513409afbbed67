"""A folder of another run: the difference is named, and nothing is loaded."""

import json

import keras
import numpy as np
import pytest

from tasks import checkpoints, resume
from tasks.errors import RunError
from tests.small_run import Small

STOP = keras.callbacks.EarlyStopping
OTHERS = {
    "rate": ({"learning_rate": 0.01}, {}, "`learning_rate` was 0.05, now it is 0.01"),
    "seed": ({"seed": 4}, {}, "`seed` was 0, now it is 4"),
    "epochs": ({"epochs": 3}, {}, "`epochs` was 2, now it is 3"),
    "data": ({"data": 7}, {}, "`data` was 24, now it is 7"),
    "schedule": ({"schedule": "linear"}, {}, "`schedule` was None, now it is 'linear'"),
    "callbacks": ({"callbacks": []}, {}, r"callbacks \['EarlyStopping'\].*are \[\]"),
    "size": ({}, {"units": 4}, "belongs to a model of another size"),
}


def weights(task):
    return [keras.ops.convert_to_numpy(w) for w in task.training_model.weights]


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with the state of a run."""
    folder = tmp_path_factory.mktemp("run")
    Small().fit(epochs=2, resume_dir=folder, callbacks=[STOP("loss")])
    return folder


@pytest.mark.parametrize("other", OTHERS)
def test_another_run_is_refused_whole(other, begun):
    options, size, said = OTHERS[other]
    task, files = Small(**size), {path: path.read_bytes() for path in begun.iterdir()}
    before = weights(task)
    with pytest.raises(RunError, match=said) as caught:
        task.fit(
            **{"epochs": 2, "resume_dir": begun, "callbacks": [STOP("loss")]} | options
        )
    assert "\n" not in str(caught.value)
    for old, new in zip(before, weights(task), strict=True):
        np.testing.assert_array_equal(new, old)
    assert {path: path.read_bytes() for path in begun.iterdir()} == files


def with_head(folder, **changes):
    """Writes the newest state again, as another program would have."""
    (newest, *_) = checkpoints.paths_in(folder)
    head, arrays = checkpoints.read(newest)
    checkpoints.write(folder, newest.name, {**head, **changes}, arrays)
    return newest


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ({"keras": "3.1.0"}, f"keras 3.1.0, now it is {keras.__version__}"),
        ({"backend": "another"}, "backend another, now it is"),
    ],
)
def test_another_keras_is_named_and_the_run_goes_on(versions, said, tmp_path, capsys):
    Small().fit(epochs=2, resume_dir=tmp_path)
    newest = with_head(tmp_path, versions={**resume._versions(), **versions})
    Small().fit(epochs=2, resume_dir=tmp_path)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{newest} was saved with {said}")


@pytest.mark.parametrize("versions", [None, resume._versions()])
def test_the_same_keras_is_no_news(versions, tmp_path, capsys):
    Small().fit(epochs=2, resume_dir=tmp_path)
    with_head(tmp_path, **({"versions": versions} if versions else {}))
    Small().fit(epochs=2, resume_dir=tmp_path)
    assert capsys.readouterr().out == ""


def test_a_state_says_what_it_was_made_with(begun):
    text = checkpoints.paths_in(begun)[0].read_bytes().split(b"\n")[1]
    assert json.loads(text)["versions"]["keras"] == keras.__version__
