"""Searches over processes: kills, fresh processes, workers."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tuning
from tests.tuning.toy import HELD_OUT, TRAIN, Curve
from tuning.errors import SearchError

ROOT = Path(__file__).parents[2]
SETTINGS = dict(
    algorithm="random",
    reruns=1,
    keep=2,
    verbose=0,
    overrides={"epochs": 2, "units": [2, 4]},
)
CALL = """
import json, sys
import tuning
from tests.tuning.toy import HELD_OUT, TRAIN, Curve

folder, trials, overrides, options = json.loads(sys.argv[1])
settings = dict(algorithm="random", reruns=1, keep=2, verbose=0)
overrides = {"epochs": 2, "units": [2, 4], **overrides}
settings |= {"overrides": overrides, **options}
if __name__ == "__main__":
    result = tuning.search(
        Curve, TRAIN, HELD_OUT, trials=trials, directory=folder, **settings
    )
    score = result.best.evaluate(HELD_OUT)["error"]
    scores = sorted([r.name, r.score] for r in result.trials.records)
    print(json.dumps([result.winner, result.score, scores, score]))
"""


def start(folder, trials, overrides=None, stop=None, **options):
    arguments = json.dumps([str(folder), trials, overrides or {}, options])
    settings = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    if stop is not None:
        settings["CURVE_STOP"] = str(stop)
    return subprocess.Popen(
        [sys.executable, "-c", CALL, arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        text=True,
    )


def answer(process):
    out, _ = process.communicate(timeout=1800)
    assert process.returncode == 0
    (line,) = out.splitlines()
    return json.loads(line)


def children(pid):
    """Processes below one, and theirs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[1]) == pid:
            found += [int(path.parent.name), *children(int(path.parent.name))]
    return found


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def gone(pids, seconds=120):
    """Whether processes end in time; what is left of them may wait for its parent."""
    until = time.time() + seconds
    while time.time() < until:
        states = [Path(f"/proc/{pid}/stat") for pid in pids]
        texts = [p.read_text() if p.exists() else ") Z" for p in states]
        if all(text.rpartition(")")[2].split()[0] == "Z" for text in texts):
            return True
        time.sleep(0.2)
    return False


@pytest.mark.slow
def test_a_kill_in_a_trial_loses_nothing(tmp_path):
    stop = tmp_path / "stop"
    stop.touch()
    whole = answer(start(tmp_path / "whole", 4))
    process = start(tmp_path / "killed", 4, stop=stop)
    record = tmp_path / "killed" / "trials" / "1" / "record.json"
    while not record.exists() and process.poll() is None:
        time.sleep(0.05)
    # The next score that is asked for kills the process.
    stop.unlink()
    process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
    assert stop.exists()
    before = json.loads((record.parents[1] / "0" / "record.json").read_text("utf-8"))
    found = answer(start(tmp_path / "killed", 4))
    assert [name for name, _ in found[2]] == ["0", "1", "2", "3"]
    assert found[0] == whole[0]
    assert found[1] == pytest.approx(whole[1], rel=1e-5)
    for (name, score), (_, expected) in zip(found[2], whole[2], strict=True):
        assert score == pytest.approx(expected, rel=1e-5), name
    after = json.loads((record.parents[1] / "0" / "record.json").read_text("utf-8"))
    assert after == before


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["bayesian", "hyperband"])
def test_two_workers_share_the_trials(tmp_path, algorithm):
    process = start(
        tmp_path / "s", 6, {"epochs": 3}, workers=2, algorithm=algorithm, reruns=0
    )
    seen = set()
    while process.poll() is None:
        seen |= set(children(process.pid))
        time.sleep(0.2)
    winner, score, scores, again = answer(process)
    assert len(scores) == 6
    assert score == min(score for _, score in scores) == pytest.approx(again, rel=1e-5)
    records = [p for p in (tmp_path / "s" / "trials").glob("*/record.json")]
    workers = {json.loads(p.read_text("utf-8"))["worker"] for p in records}
    assert workers == {"worker0", "worker1"}
    assert len(seen) >= 2 and gone(seen)
    assert winner in {name for name, _ in scores}


@pytest.mark.slow
def test_a_killed_worker_goes_on_and_a_killed_search_takes_all_along(tmp_path):
    stop = tmp_path / "stop"
    process = start(tmp_path / "s", 4, stop=stop, workers=2, reruns=0)
    # The first score that is asked for kills a worker; it comes back.
    while not (tmp_path / "s/trials/0/record.json").exists():
        time.sleep(0.1)
        assert process.poll() is None
    while not (tmp_path / "s/trials/2/record.json").exists():
        time.sleep(0.1)
        assert process.poll() is None
    assert stop.exists()
    below = children(process.pid)
    assert len(below) >= 2
    process.kill()
    # Its output ends with the last process that holds it.
    process.communicate(timeout=300)
    assert gone(below)
    _, _, scores, _ = answer(start(tmp_path / "s", 4, reruns=0))
    assert len(scores) == 4 and all(score is not None for _, score in scores)


@pytest.mark.slow
def test_a_new_process_goes_on_after_some_trials(tmp_path):
    whole = answer(start(tmp_path / "whole", 5))
    process = start(tmp_path / "s", 5, trials_per_process=2)
    seen = set()
    while process.poll() is None:
        # Beside workers there is the process that watches over them.
        seen |= {
            pid for pid in children(process.pid) if b"spawn_main" in command_of(pid)
        }
        time.sleep(0.05)
    winner, score, scores, _ = answer(process)
    assert len(seen) == 3 and gone(seen)
    assert winner == whole[0] and score == pytest.approx(whole[1], rel=1e-5)
    for (name, own), (_, expected) in zip(scores, whole[2], strict=True):
        assert own == pytest.approx(expected, rel=1e-5), name


def test_workers_need_data_that_can_be_sent(tmp_path):
    data = [(x, y) for x, y in TRAIN]

    class Local(list):
        """Cannot be found by another process."""

    with pytest.raises(SearchError, match="cannot be sent to workers"):
        tuning.search(
            Curve,
            Local(data),
            HELD_OUT,
            trials=1,
            directory=tmp_path / "s",
            workers=1,
            address="127.0.0.1:0",
            **SETTINGS,
        )


def test_a_strategy_cannot_be_sent(tmp_path):
    with pytest.raises(SearchError, match="A strategy cannot be sent"):
        tuning.search(
            Curve,
            TRAIN,
            HELD_OUT,
            trials=1,
            directory=tmp_path / "s",
            workers=2,
            strategy=object(),
            **SETTINGS,
        )


def test_joining_nothing_is_told(tmp_path):
    with pytest.raises(SearchError, match="holds no search"):
        tuning.join(tmp_path, TRAIN, HELD_OUT, address="127.0.0.1:1", name="a")
