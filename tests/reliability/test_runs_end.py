"""Runs that end by a kill or a signal, and go on as if they had not."""

import signal

import numpy as np
import pytest

from tests import lives
from tests.small_run import BATCH, ROWS

# Steps of a run, and moments of its writing, that a kill can come at.
MOMENTS = 2 * ROWS // BATCH + 12


@pytest.fixture(scope="module")
def live():
    process = lives.Lives()
    yield process
    process.close()


@pytest.fixture(scope="module")
def straight(live, tmp_path_factory):
    """What becomes of a run that nothing stops."""
    output = str(tmp_path_factory.mktemp("straight") / "output.npz")
    assert live(output=output) == [0, ""]
    return output


def assert_same(one, other):
    """Weights, states of generators, logs and states of callbacks; returns 0.0."""
    with np.load(one) as a, np.load(other) as b:
        assert a.files == b.files
        apart = max(float(np.abs(a[name] - b[name]).max()) for name in a.files)
    assert apart == 0
    return apart


def killed_run(live, folder, output, random, kills, **options):
    """Kills a run so many times, then lets it end; returns how many came off."""
    done = 0
    for _ in range(kills):
        moment = int(random.integers(1, MOMENTS))
        code, said = live(folder=folder, output=output, moment=moment, **options)
        assert code in (0, -signal.SIGKILL), said
        done += code != 0
    code, said = live(folder=folder, output=output, **options)
    assert code == 0, said
    return done


class TestKilled:
    def test_a_run_killed_three_times_ends_as_if_never(
        self, live, straight, tmp_path, tried
    ):
        state, output = tmp_path / "state", str(tmp_path / "output.npz")
        # In the first epoch, while a state of the second is written, and after it.
        for moment in (5, 14, 9):
            code, said = live(folder=str(state), output=output, moment=moment)
            assert code == -signal.SIGKILL, said
        assert live(folder=str(state), output=output)[0] == 0
        tried(3, f"{assert_same(output, straight)} apart")
        assert {path.suffix for path in state.iterdir()} == {".checkpoint"}

    @pytest.mark.slow
    def test_fifty_runs_killed_one_to_five_times(self, live, straight, tmp_path, tried):
        random, kills = np.random.default_rng(5), 0
        for run in range(50):
            state, output = str(tmp_path / f"{run}"), str(tmp_path / "output.npz")
            kills += killed_run(live, state, output, random, 1 + run % 5)
            apart = assert_same(output, straight)
        assert kills > 75
        tried(50, f"{kills} kills of 50 runs: {apart} apart")


class TestAsked:
    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
    )
    def test_one_that_is_asked_to_end_saves_first(
        self, number, code, live, straight, tmp_path, tried
    ):
        state, output = tmp_path / "state", str(tmp_path / "output.npz")
        # Nothing is due after the third step: the state is there for the asking.
        how = {"folder": str(state), "output": output, "save_every": 100}
        ended, said = live(**how, moment=3, number=number, slow=False)
        assert ended == code
        assert f"The run is saved in {state / '000000-000000003.checkpoint'}" in said
        assert [path.name for path in state.iterdir()] == [
            "000000-000000003.checkpoint"
        ]
        assert live(**how)[0] == 0
        assert assert_same(output, straight) == 0
        tried(1, f"exit code {code}")

    def test_one_without_a_folder_ends_at_once(self, live):
        code, said = live(moment=3, number=signal.SIGTERM)
        assert (code, said) == (-signal.SIGTERM, "")


@pytest.mark.slow
class TestElsewhere:
    @pytest.mark.parametrize(
        ("backend", "policy"),
        [
            ("jax", "float32"),
            ("jax", "mixed_bfloat16"),
            ("tensorflow", "mixed_bfloat16"),
            ("tensorflow", "mixed_float16"),
            ("tensorflow", "bfloat16"),
        ],
    )
    def test_a_killed_run_ends_as_if_never(self, backend, policy, tmp_path, tried):
        process = lives.Lives(KERAS_BACKEND=backend)
        try:
            state, output = str(tmp_path / "state"), str(tmp_path / "output.npz")
            wanted = str(tmp_path / "straight.npz")
            assert process(output=wanted, policy=policy)[0] == 0
            random = np.random.default_rng(3)
            killed = killed_run(process, state, output, random, 2, policy=policy)
            assert killed
            tried(1, f"{assert_same(output, wanted)} apart in half precision, on JAX")
        finally:
            process.close()
