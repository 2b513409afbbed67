"""A search that is killed twenty times finds what one finds that is not."""

import pytest

from tests.tuning.test_processes import answer, start

TRIALS = 20


@pytest.mark.slow
def test_a_search_killed_in_every_trial_loses_nothing(tmp_path, tried):
    whole = answer(start(tmp_path / "whole", TRIALS, reruns=0))
    kills = 0
    while kills < TRIALS:
        # A process lives until the next score is asked for: a trial's first, mostly.
        stop = tmp_path / f"stop{kills}"
        process = start(tmp_path / "killed", TRIALS, stop=stop, reruns=0)
        process.communicate(timeout=300)
        if process.returncode == 0:
            break
        kills += 1
        # One that is killed again and again is given up, so let it get on.
        process = start(tmp_path / "killed", kills, reruns=0)
        answer(process)
    assert kills == TRIALS
    found = answer(start(tmp_path / "killed", TRIALS, reruns=0))
    assert [name for name, _ in found[2]] == [name for name, _ in whole[2]]
    for (name, score), (_, wanted) in zip(found[2], whole[2], strict=True):
        assert score == pytest.approx(wanted, rel=1e-5), name
    assert found[0] == whole[0]
    tried(kills, f"{kills} kills: the same table and winner")
