"""The rows of the table in README.md: faults, what must happen, and who tries them.

A row names tests as pytest does; a class or a file stands for all that are in it. Each
test counts as one fault tried, unless it says otherwise by the fixture `tried`.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """One kind of fault.

    Attributes:
        area: What it is about.
        faults: What is tried.
        expected: What must come of it.
        ci: How many faults `make test` has to try, at least.
        nightly: How many `make test-all` has to try, at least.
        tests: Names of tests.
        left_out: What of the row does not apply, and why.
    """

    area: str
    faults: str
    expected: str
    ci: int
    nightly: int
    tests: tuple
    left_out: str = ""


HERE = "tests/reliability/"
HOSTILE = HERE + "test_hostile_presets.py::"
RUNS = HERE + "test_killed_runs.py::"
RESUME = "tests/tasks/test_training.py::TestResume::"
DOWNLOAD = "tests/zoo/test_download.py::"
TASKS = "tests/tasks/test_"
TEXT_TASKS = {
    "ner": "TestNamedEntityTagger",
    "text_classification": "TestTextClassifier",
    "language_modeling": "TestLanguageModel",
    "translation": "TestTranslator",
}
STRANGE = ("test_survives", "test_strange_texts_in_one_list", "test_refuses")

ROWS = {
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
            "tests/tasks/test_strategies.py::test_files_are_dealt_out",
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
    11: Row(
        "Download",
        "cut, stalled, wrong byte or length, 404, 500, redirect to file:, no ranges",
        "the right file, or an error with address and sums; nothing bad stays",
        9,
        9,
        (DOWNLOAD + "TestFetchFile", DOWNLOAD + "TestRefused"),
    ),
    12: Row(
        "Download",
        "kill -9 in mid-transfer",
        "the next call completes it, and nothing else is left",
        5,
        50,
        (DOWNLOAD + "TestKilledDownloads",),
    ),
    13: Row(
        "Download",
        "eight processes ask for one preset at once",
        "one download, eight answers",
        1,
        20,
        (DOWNLOAD + "TestProcesses",),
    ),
    14: Row(
        "Download",
        "offline, cold or warm; broken proxy; read-only cache; no HOME; long names",
        "warm: no socket; cold: one sentence with address and folder",
        6,
        6,
        (
            DOWNLOAD + "TestPresets::test_second_load_opens_no_socket",
            DOWNLOAD + "TestPresets::test_offline_names_the_address_and_the_folder",
            DOWNLOAD + "TestPresets::test_folder_filled_by_hand_works_offline",
            DOWNLOAD + "TestRefused::test_broken_proxy",
            DOWNLOAD + "TestPresets::test_read_only_cache_with_the_preset_works",
            DOWNLOAD + "TestPresets::test_long_home_with_foreign_letters",
            DOWNLOAD + "TestHome",
        ),
    ),
    15: Row(
        "Cache",
        "a byte flipped in each file of three shipped presets, and in the cache",
        "refused, with the file's name and how to repair it",
        20,
        20,
        (
            HERE + "test_shipped_files.py",
            DOWNLOAD + "TestPresets::test_damage_in_the_cache_says_how_to_repair",
        ),
    ),
    16: Row(
        "Loader",
        "an attacker's classes, paths, options, JSON, links, devices and weights; what "
        "is known of Keras' own loader",
        "one `PresetError`, in a second, without memory, a file or a socket outside",
        40,
        40,
        (
            HOSTILE + "test_attack_is_refused_in_one_sentence",
            HOSTILE + "test_nothing_outside_is_touched",
            HOSTILE + "test_sums_cannot_name_another_place",
            HOSTILE + "test_large_file_is_refused_before_it_is_read",
            HERE + "test_keras_probes.py",
        ),
    ),
    17: Row(
        "Loader",
        "mutated configs, junk in any file, flipped bytes in signed weights",
        "loads, or raises `PresetError`, within 5 s",
        300,
        20_000,
        (
            HOSTILE + "test_drawn_faults",
            HOSTILE + "test_many_drawn_faults",
        ),
    ),
    18: Row(
        "Weights",
        "links, virtual data, shape bombs, other shapes and types, missing, NaN",
        "the rule itself refuses, and nothing is assigned; NaN is read if asked for",
        8,
        8,
        (
            HOSTILE + "test_the_rule_itself_refuses",
            HOSTILE + "test_nan_is_read_when_asked_for",
            HOSTILE + "test_nothing_is_assigned_when_one_weight_is_refused",
            "tests/zoo/test_preset.py::TestMismatch",
        ),
    ),
    19: Row(
        "Scanner",
        "pickle, marshal, eval, exec, Lambda, yaml, safe_mode=False in each file",
        "none",
        100,
        100,
        ("tests/test_imports.py::test_no_code_comes_from_data",),
    ),
    20: Row(
        "Tokenizers",
        "strange strings by kind, edges, drawn text and bytes, a line of a megabyte",
        "places in range and on characters; there and back; graph and Python agree",
        733,
        20_000,
        (
            HERE + "test_naughty_strings.py",
            "tests/tasks/data/test_words.py::TestOffsets::test_edges",
        ),
        "The strings are made by kind (`tests/naughty.py`); the public list of 515 is "
        "not copied.",
    ),
    21: Row(
        "Strange input",
        "empty, endless, emoji, other scripts, None, bytes; NaN, constant, one point, "
        "1e30; pictures of one pixel, grey, CMYK, cut",
        "an answer, or one sentence; a list is answered as its items are",
        60,
        72,
        (
            *(
                f"{TASKS}{task}.py::{name}::{test}"
                for task, name in TEXT_TASKS.items()
                for test in STRANGE
            ),
            TASKS + "forecasting.py::test_strange_series_have_finite_forecasts",
            TASKS + "forecasting.py::test_what_is_no_series_is_refused",
            TASKS + "forecasting.py::test_values_too_large_to_compute_with_are_named",
            TASKS + "forecasting.py::test_series_without_a_recent_value_are_named",
            "tests/tasks/data/test_pictures.py",
            TASKS + "captioning.py::test_pictures_of_any_size_are_answered",
            TASKS + "captioning.py::test_every_form_of_a_picture_is_answered_alike",
        ),
        "Sound: there is no task that hears yet.",
    ),
    22: Row(
        "Numbers",
        "rows without a step, one step, 10,000 steps, inputs of 1e4, half precision",
        "finite values and gradients, layer by layer and loss by loss",
        100,
        200,
        (HERE + "test_finite_layers.py", HERE + "test_finite_losses.py"),
    ),
    23: Row(
        "Repeat",
        "the examples of each preset: as tested, in a fresh process, by XLA, on JAX",
        "the same texts; numbers to 1e-3",
        6,
        12,
        (
            "tests/zoo/test_shipped_presets.py::test_it_repeats_its_examples",
            HERE + "test_repeated_examples.py",
        ),
        "The next Keras: `make test-all` with it installed.",
    ),
    24: Row(
        "Old files",
        "a preset and the state of a run of each version",
        "loaded, and repeated, for ever",
        2,
        2,
        (HERE + "test_old_files.py",),
    ),
    25: Row(
        "Export",
        "a SavedModel in a fresh process with TensorFlow alone; strings to strings, "
        "with and without tensorflow-text",
        "equal answers; without it, an error that names the operation",
        1,
        4,
        (
            TASKS + "ner.py::TestNamedEntityTagger::"
            "test_exported_model_serves_without_the_zoo",
            TASKS + "translation.py::TestTranslator::"
            "test_exported_model_serves_without_the_zoo",
            TASKS + "captioning.py::TestCaptioner::"
            "test_exported_model_serves_without_the_zoo",
            HERE + "test_exported_strings.py",
        ),
        "ONNX and LiteRT: the zoo writes neither.",
    ),
    26: Row(
        "Install",
        "the wheel built twice, looked into, installed, run without a network, "
        "imported with warnings as errors; bounds",
        "equal bytes; nothing else in it; the demo runs; import in half a second",
        10,
        12,
        (
            "tests/test_package.py",
            "tests/test_imports.py::test_zoo_starts_without_any_framework",
            "tests/test_imports.py::test_zoo_starts_fast",
            HERE + "test_fresh_install.py",
        ),
        "Other versions of Python and of what the zoo needs: one of each is installed "
        "here; the bounds are tested as text.",
    ),
    27: Row(
        "Leaks",
        "1,000 answers; 20 loads",
        "memory grows by less than 5 %; no retracing; no files or threads more",
        0,
        1_020,
        (HERE + "test_leaks.py",),
    ),
    28: Row(
        "Concurrency",
        "8 threads ask one task; processes fork before and after it is loaded",
        "the answers of one thread; after a load, one sentence instead of a hang",
        3,
        1_000,
        (HERE + "test_concurrency.py",),
    ),
    29: Row(
        "Supply chain",
        "what is installed, against the public list of holes",
        "none is known",
        1,
        2,
        (HERE + "test_supply_chain.py",),
        "A new Keras: rows 16, 18 and 23 run with whatever is installed.",
    ),
}
