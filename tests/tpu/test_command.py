"""`zoo tpu-check`, with findings in the place of the compiler's."""

import importlib
import importlib.util
import json
import os
import shutil

import pytest

from tasks import cli
from tasks.tpu import chips, command, report
from tasks.tpu.check import check

GB = 2**30


def finding(**changes):
    """What a worker says of a step that is fit for a TPU."""
    return {
        "step": "train",
        "backend": "jax",
        "chip": "v5e",
        "topology": "2x2",
        "batch": 64,
        "length": 32,
        "fits": True,
        "needed_bytes": 3 * GB,
        "available_bytes": 15.75 * GB,
        "compile_seconds": 12.34,
        "callbacks": [],
        "dynamic_shapes": [],
        "collectives": {"all-reduce": 5},
        "collectives_in_loops": 0,
        "memory_padding": 0.125,
        "sizes": {"rows": 16.0, "rows_padding": 0.0, "features": []},
        **changes,
    }


class Findings(list):
    """A list that knows what was asked."""

    asked = ()


@pytest.fixture
def said(monkeypatch):
    """What the compiler says, `asked` is what it was asked for."""
    made = Findings([finding()])
    made.asked = []

    def checked(*arguments):
        made.asked.append(arguments)
        return iter(made)

    monkeypatch.setattr(command, "check_installed", lambda: None)
    monkeypatch.setattr(command, "check", checked)
    return made


class TestCommand:
    def test_says_what_was_found(self, said, capsys):
        assert cli.main(["tpu-check", "ner"]) == 0
        out = capsys.readouterr().out
        for text in ("compiled, not run", "12.3 s", "3 GB of 15.75 GB", "12%", "5"):
            assert text in out

    def test_ends_with_1_if_something_speaks_against_it(self, said, capsys):
        said.append(finding(callbacks=["xla_python_callback"]))
        assert cli.main(["tpu-check", "ner"]) == 1
        assert "calls the host: xla_python_callback" in capsys.readouterr().out

    def test_json_is_alone(self, said, capsys):
        said.append(finding(fits=False, needed_bytes=20 * GB))
        assert cli.main(["tpu-check", "ner", "--json"]) == 1
        found = json.loads(capsys.readouterr().out)
        assert not found["compiled_for_tpu"] and not found["run_on_tpu"]
        assert [step["faults"] for step in found["steps"]] == [
            [],
            ["does not fit: needs 20 GB of 15.75 GB"],
        ]

    def test_hands_on_what_was_asked(self, said):
        words = "tpu-check ner --chip v6e --topology 1x1 16x16 --backend jax --batch 8"
        words += " --length 5 --set units=64 --set layer=gru --step train"
        cli.main(words.split())
        assert said.asked == [
            (
                "ner",
                "v6e",
                ["1x1", "16x16"],
                ["jax"],
                8,
                5,
                {"units": 64, "layer": "gru"},
                ["train"],
            )
        ]

    @pytest.mark.parametrize("text", ["units", "=3"])
    def test_an_option_needs_name_and_value(self, said, text, capsys):
        assert cli.main(["tpu-check", "ner", "--set", text]) == 2
        assert "--set takes NAME=VALUE" in capsys.readouterr().err

    def test_a_model_that_there_is_not(self, said, capsys):
        assert cli.main(["tpu-check", "ner_nobody.nothing_en"]) == 2
        assert "ner_nobody.nothing_en" in capsys.readouterr().err
        assert not said.asked

    def test_a_step_that_there_is_not(self, said, capsys):
        said.clear()
        assert cli.main(["tpu-check", "ner", "--step", "fly"]) == 2
        assert "ner has no step fly" in capsys.readouterr().err


class TestWithoutCompiler:
    @pytest.mark.parametrize("missing", ["jax", "libtpu"])
    def test_one_line_says_what_to_install(self, missing, monkeypatch, capsys):
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, *rest: None if name == missing else find("json"),
        )
        assert cli.main(["tpu-check", "ner"]) == 2
        told = capsys.readouterr()
        assert told.err.count("\n") == 1 and not told.out
        assert f"{missing} is needed to compile for a TPU: pip install" in told.err
        assert "recurrent-zoo[tpu]" in told.err


class TestArguments:
    def test_unknown_chips_get_the_list(self):
        with pytest.raises(ValueError, match="'v9'; there are v5e, v6e"):
            check("ner", "v9")

    @pytest.mark.parametrize("topology", ["2", "2x", "0x1", "2x2x2", "100x1"])
    def test_a_slice_is_two_numbers(self, topology):
        with pytest.raises(ValueError, match="two numbers of chips, such as 1x1"):
            check("ner", topologies=[topology])

    @pytest.mark.parametrize("name", ["batch", "length"])
    def test_sizes_are_positive(self, name):
        with pytest.raises(ValueError, match=f"`{name}` must be positive. Received: 0"):
            check("ner", **{name: 0})


@pytest.mark.skipif(os.name == "nt", reason="needs the command false")
def test_a_process_that_dies_is_an_error(monkeypatch):
    module = importlib.import_module("tasks.tpu.check")
    monkeypatch.setattr(module, "check_installed", lambda: None)
    monkeypatch.setattr(module.sys, "executable", shutil.which("false"))
    with pytest.raises(RuntimeError, match="for jax ended with code 1; ZOO_DEBUG=1"):
        list(check("ner", backends=["jax"]))


class TestReport:
    def test_names_all_faults(self):
        bad = finding(
            fits=False,
            needed_bytes=2**41,
            callbacks=["infeed"],
            dynamic_shapes=["?", "PadToStatic"],
        )
        assert report.faults(bad) == [
            "does not fit: needs 2 TB of 15.75 GB",
            "calls the host: infeed",
            "no fixed shapes: ?, PadToStatic",
        ]

    def test_tells_what_loops_say_again_and_again(self):
        counts = {"all-reduce": 3, "all-gather": 2}
        told = report.text("x", [finding(collectives=counts, collectives_in_loops=1)])
        assert "3, 2 all-gather (1 in loops)" in " ".join(told.split())

    def test_tells_sizes_that_are_filled_up(self):
        odd = [
            {"weight": f"w{i}", "features": 200 + i, "padding": 0.21} for i in range(6)
        ]
        sizes = {"rows": 4.0, "rows_padding": 0.5, "features": odd}
        told = report.text("x", [finding(sizes=sizes)])
        assert "Each chip of 2x2 has 4 rows of a batch" in told
        assert "w0 (200, 21% padding)" in told and "and 2 more" in told

    def test_sizes_that_fit_need_no_advice(self):
        assert "filled up" not in report.text("x", [finding()])


class TestRefusals:
    @pytest.mark.parametrize(
        "said, sizes",
        [
            (
                "RESOURCE_EXHAUSTED: Ran out of memory in memory space hbm. Used "
                "20.31G of 15.75G hbm. Exceeded hbm capacity by 4.56G.",
                (round(20.31 * GB), round(15.75 * GB)),
            ),
            (
                "the total memory required for HLO temporaries (8.00T) exceeds "
                "available HBM (31.25G).",
                (2**43, round(31.25 * GB)),
            ),
        ],
    )
    def test_are_read(self, said, sizes):
        assert chips.refusal(said) == sizes

    def test_others_are_not_about_memory(self):
        assert chips.refusal("INVALID_ARGUMENT: 3 of 4") is None
