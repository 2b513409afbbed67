"""The rows of the table in README.md: faults, what must happen, and who tries them."""

from tests.reliability.row import HERE, Row
from tests.reliability.run_rows import RUN_ROWS

HOSTILE = HERE + "test_hostile_presets.py::"
DOWNLOAD = "tests/zoo/test_download.py::"
TASKS = "tests/tasks/test_"
TEXT_TASKS = {
    "ner": "TestNamedEntityTagger",
    "text_classification": "TestTextClassifier",
    "language_modeling": "TestLanguageModel",
    "translation": "TestTranslator",
}
STRANGE = (
    "test_survives",
    "test_strange_texts_in_one_list_are_answered_alike",
    "test_refuses",
)

ROWS = {
    **RUN_ROWS,
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
        "Sound: tests of speech have strange recordings of their own, uncounted.",
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
        90,
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
