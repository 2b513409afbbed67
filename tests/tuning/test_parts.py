"""Small parts: fingerprints, importance, the live table, the command line."""

import io
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from tuning import cli
from tuning.errors import SearchError
from tuning.fingerprint import fingerprint
from tuning.folder import SearchFolder
from tuning.importance import encoded, importances
from tuning.live import Board, duration
from tuning.objectives import Objective
from tuning.records import Record, Records
from tuning.result import Trials

LOSS, F1 = Objective("loss", "min"), Objective("f1", "max")


def trials(count=30):
    """Made-up trials: the rate decides, the kind a little, the size not at all."""
    random, found = np.random.default_rng(0), []
    for number in range(count):
        rate, kind = float(random.uniform()), str(random.choice(["a", "b"]))
        values = {"rate": rate, "kind": kind, "size": int(random.integers(9))}
        score = rate + 0.2 * (kind == "b")
        found.append(Record(str(number), "done", values, score=score))
    return found


class TestFingerprint:
    def test_the_same_data(self):
        data = {"x": [np.arange(3), "y", None], "z": ("a", 1.5)}
        again = {"x": [np.arange(3), "y", None], "z": ("a", 1.5)}
        assert fingerprint(data) == fingerprint(again)

    @pytest.mark.parametrize(
        "other",
        [[1, 2, 4], (1, 2, 3), [1, 2], ["1", 2, 3], [[1], 2, 3], np.arange(3), None],
    )
    def test_other_data(self, other):
        assert fingerprint(other) != fingerprint([1, 2, 3])

    def test_long_arrays_are_read_to_the_end(self):
        a, b = np.zeros(100_000), np.zeros(100_000)
        b[50_000] = 1
        assert fingerprint(a) != fingerprint(b)

    def test_files_count_by_what_is_in_them(self, tmp_path):
        (tmp_path / "a").write_text("x")
        before = fingerprint(tmp_path / "a")
        assert fingerprint(str(tmp_path / "a")) != fingerprint("a")
        (tmp_path / "a").write_text("y")
        assert fingerprint(tmp_path / "a") != before


class TestImportance:
    def test_it_finds_what_mattered(self):
        shares = importances(trials(), LOSS)
        assert list(shares)[0] == "rate" and shares["rate"] > 0.5
        assert shares["kind"] > shares["size"]
        assert sum(shares.values()) == pytest.approx(1)

    def test_few_trials_tell_nothing(self):
        assert importances(trials(5), LOSS) == {}

    def test_what_did_not_matter_has_a_number_of_its_own(self):
        records = [Record("0", values={"a": 3}), Record("1", values={"b": None})]
        names, inputs = encoded(records)
        assert names == ["a", "b"]
        assert inputs.tolist() == [[3, -1], [-1, 0]]


class TestRecords:
    def test_the_best_by_direction_and_no_failures(self, tmp_path):
        records = Records(tmp_path)
        for record in [*trials(3), Record("3", "failed"), Record("4")]:
            records.write(record)
        least = [r.name for r in records.best(LOSS)]
        assert least == [r.name for r in records.best(F1)][::-1]
        assert set(least) == {"0", "1", "2"}

    def test_numbers_are_in_order(self, tmp_path):
        records = Records(tmp_path)
        for name in ("10", "9", "2-1", "2"):
            records.write(Record(name))
        assert [r.name for r in records.all()] == ["2", "2-1", "9", "10"]

    def test_models_of_running_trials_stay(self, tmp_path):
        records = Records(tmp_path)
        for record in [*trials(3), Record("3"), Record("4", "failed")]:
            records.write(record)
            (records.place(record.name) / "model").mkdir()
        records.keep_models(LOSS, 1)
        kept = {p.parent.name for p in tmp_path.glob("*/model")}
        assert kept == {records.best(LOSS)[0].name, "3"}


class TestBoard:
    @pytest.fixture
    def board(self, tmp_path):
        console = Console(file=io.StringIO(), width=120)
        return Board(SearchFolder(tmp_path), LOSS, 10, None, "auto", (), console)

    def test_title_and_rows(self, board):
        board.began -= 60
        for record in [*trials(3), Record("3", "failed", error="MemoryError: no")]:
            board.folder.trials.write(record)
        title = board.title(board.folder.trials.all())
        best = board.folder.trials.best(LOSS, 1)[0]
        assert "4 of 10 trials · 1 failed" in title
        assert f"best loss {best.score:.4g}" in title
        assert "about 1 min left" in title
        board.console.print(board.table())
        text = board.console.file.getvalue()
        assert "rate" in text and f"{best.score:.4g}" in text

    def test_a_line_for_each_trial_once(self, board):
        board.folder.trials.write(Record("0", "failed", error="MemoryError: no"))
        (line,) = board.lines()
        assert line.startswith("trial 0: MemoryError: no")
        assert board.lines() == []

    def test_without_a_terminal_there_are_lines(self, board):
        with board:
            board.folder.trials.write(trials(1)[0])
        assert board.console.file.getvalue().startswith("trial 0: loss ")

    def test_time_is_said_as_people_do(self):
        assert [duration(s) for s in (5, 150, 7260)] == ["5 s", "2 min", "2 h 1 min"]
        assert math.isinf(Board.time_left(_board_without_end(), []))


def _board_without_end():
    return SimpleNamespace(began=0.0, _before=set(), trials=None, max_time=None)


class TestCommand:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("units=64", 64),
            ("units=[64,128]", [64, 128]),
            ("dropout=0.1..0.5", (0.1, 0.5)),
            ("layer=gru", "gru"),
            ('layer=["gru","qrnn"]', ["gru", "qrnn"]),
            ("connection=null", None),
        ],
    )
    def test_overrides(self, text, value):
        assert cli.override(text) == (text.partition("=")[0], value)

    @pytest.mark.parametrize("text", ["units", "=3", "dropout=a..b"])
    def test_bad_overrides(self, text):
        with pytest.raises(SearchError, match="--set"):
            cli.override(text)

    def test_errors_are_one_line(self, tmp_path, capsys):
        (tmp_path / "a").write_text("")
        (tmp_path / "b").write_text("")
        files = ["--train", str(tmp_path / "a"), "--validation", str(tmp_path / "b")]
        assert cli.main(["ner", *files, "--trials", "0"]) == 2
        assert cli.main(["nerr", *files, "--trials", "1"]) == 2
        assert cli.main(["ner", "--train", "gone", "--validation", "gone"]) == 2
        assert cli.main(["ner", *files, "--trials", "1", "--join", "a:1"]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 4
        assert "`trials` must be" in lines[0] and "no file gone" in lines[2]

    def test_the_document_is_plain(self, tmp_path):
        result = SimpleNamespace(
            directory=tmp_path,
            objective=LOSS,
            score=0.5,
            winner="0",
            values={"rate": 0.1},
            trials=Trials(trials(2), LOSS),
            reruns=Trials([], LOSS),
        )
        document = json.loads(json.dumps(cli.document(result)))
        assert document["trials"][0]["rate"] == pytest.approx(
            result.trials.records[0].values["rate"]
        )
