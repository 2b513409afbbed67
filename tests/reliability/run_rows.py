"""Rows 1 to 10: runs and searches that are killed, stopped, damaged or mixed up."""

from tests.reliability.row import HERE, Row

RUNS = HERE + "test_killed_runs.py::"
RESUME = "tests/tasks/test_training.py::TestResume::"

RUN_ROWS = {
    1: Row(
        "Resume",
        "kill -9 at any step or moment of a save, with dropout, zoneout, shuffling",
        "weights, logs and callbacks of the straight run: 0.0 apart",
        3,
        50,
        (
            HERE + "test_runs_end.py::TestKilled",
            RUNS + "test_one_killed_while_it_writes_goes_on",
            RUNS + "test_one_killed_ten_times_goes_on",
        ),
    ),
    2: Row(
        "Resume",
        "kill -9 at a random time while states are written slowly",
        "the last whole state is read; no half file is listed, or stays",
        20,
        200,
        (HERE + "test_killed_saves.py",),
    ),
    3: Row(
        "Resume",
        "SIGTERM, Ctrl-C",
        "one last state, exit code 143 or 130, then as row 1",
        2,
        2,
        (
            HERE + "test_runs_end.py::TestAsked",
            "tests/tasks/test_interruption.py",
        ),
    ),
    4: Row(
        "Resume",
        "a byte flipped, a file cut, emptied, foreign, deleted; all of them damaged",
        "the state before, with one line that names the file; else a clear error",
        30,
        100,
        (
            RESUME + "test_a_flipped_bit_falls_back",
            RESUME + "test_a_foreign_file_falls_back",
            RESUME + "test_a_cut_file_falls_back",
            RESUME + "test_a_run_after_falling_back_ends_alike",
            RESUME + "test_damage_everywhere_is_an_error",
            HERE + "test_damaged_states.py",
        ),
    ),
    5: Row(
        "Resume",
        "full disk, read-only folder, a file in its place, a second process",
        "a clear error, and the state before is kept; the second is refused",
        4,
        4,
        (
            RUNS + "TestNoRoom",
            HERE + "test_shared_folders.py",
            "tests/zoo/test_locks.py",
        ),
    ),
    6: Row(
        "Resume",
        "another rate, seed, length, size, data, callbacks, version of Keras",
        "the difference is named, and no variable is touched",
        6,
        6,
        (HERE + "test_other_runs.py",),
    ),
    7: Row(
        "Resume",
        "two devices, then one, then two; a worker of two killed",
        "the same weights to 1e-6; the other worker ends within 90 s",
        0,
        4,
        (
            "tests/tasks/test_strategies.py::TestTwoDevices::"
            "test_a_run_may_go_on_with_other_devices",
            RUNS + "test_one_of_two_workers_is_killed",
        ),
    ),
    8: Row(
        "Resume",
        "row 1 on JAX, and in bfloat16 and float16",
        "0.0 apart",
        0,
        4,
        (HERE + "test_runs_end.py::TestElsewhere",),
    ),
    9: Row(
        "Data order",
        "kills at three places of ten orders; two shards",
        "each example once an epoch, counted by the model that reads it; two devices "
        "learn what one does",
        30,
        30,
        (
            HERE + "test_data_order.py",
            "tests/tasks/test_strategies.py::TestFinding::test_files_are_dealt_out",
            "tests/tasks/test_strategies.py::TestTwoDevices::"
            "test_they_train_as_one_does",
        ),
    ),
    10: Row(
        "Tuner",
        "a trial that raises, is NaN, has no memory, cannot be built, is killed",
        "the search goes on; the table tells why; a failed trial never wins",
        5,
        20,
        (
            "tests/tuning/test_search.py::TestFailures",
            "tests/tuning/test_search.py::TestInterrupted",
            "tests/tuning/test_processes.py::test_a_kill_in_a_trial_loses_nothing",
            HERE + "test_killed_searches.py",
        ),
    ),
}
