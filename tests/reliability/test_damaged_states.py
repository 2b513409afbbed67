"""States that are damaged, gone or strange: the run falls back, or says so."""

import pytest

from tasks.errors import RunError
from tasks.resume import Resume
from tests.tasks.test_training import (  # noqa: F401, fixtures
    assert_equal,
    damage,
    make,
    second,
    state,
    states,
    three,
)

# Fixtures are used by name: the linter takes them for others of the same name.
# ruff: noqa: F811


def test_the_newest_is_deleted(states, second):
    (states / "000003.checkpoint").unlink()
    model = make()
    assert Resume(states).restore(model) == 2
    assert_equal(state(model), second)


def test_the_last_one_left_is_damaged(states, capsys):
    (states / "000003.checkpoint").unlink()
    damage(states / "000002.checkpoint", -1)
    model = make()
    before = state(model)
    with pytest.raises(RunError, match="No state in .* is sound"):
        Resume(states).restore(model)
    assert_equal(state(model)[: len(before)], before)
    assert "000002.checkpoint is damaged" in capsys.readouterr().out


def test_a_folder_under_the_name_of_a_state(states):
    (states / "000004.checkpoint").mkdir()
    assert Resume(states).restore(make()) == 3


@pytest.mark.slow
def test_a_byte_in_every_64(states, second, capsys, tried):
    newest = states / "000003.checkpoint"
    data, model = newest.read_bytes(), make()
    places = range(0, len(data), 64)
    for place in places:
        damage(newest, place, 1 << place // 64 % 8)
        assert Resume(states).restore(model) == 2
        newest.write_bytes(data)
    assert capsys.readouterr().out.count(f"{newest} is damaged") == len(places)
    assert_equal(state(model), second)
    tried(len(places))
