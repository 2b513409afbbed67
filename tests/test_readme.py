"""The README says what is so."""

import contextlib
import io
import re
import shutil
from pathlib import Path

import pytest

from tests import readme_tables

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def code_blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_tables_are_up_to_date():
    # If this fails: python tests/readme_tables.py
    assert readme_tables.filled(TEXT) == TEXT


def test_tables_follow_their_sources(monkeypatch):
    monkeypatch.setitem(readme_tables.TABLES, "models", lambda: "| a new one |")
    assert "<!-- table: models -->\n\n| a new one |\n" in readme_tables.filled(TEXT)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_into_the_project_lead_somewhere(document):
    text = re.sub("`[^`]*`", "", (ROOT / document).read_text("utf-8"))  # no code
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not re.match(r"[a-z]+:", target):
            assert (ROOT / target).exists(), target


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    asked = set(re.findall(r"\bmake ([a-z-]+)", "\n".join(code_blocks("sh"))))
    assert {"demo", "test"} <= asked
    for target in asked:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_commands_exist():
    from tasks import cli

    commands = set(re.findall(r"^zoo ([a-z-]+)", "\n".join(code_blocks("sh")), re.M))
    assert commands
    for command in commands:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            pytest.raises(SystemExit) as stop,
        ):
            cli.main([command, "--help"])
        assert stop.value.code == 0


def run_code(blocks):
    """What the blocks print, one after the other; and what they say they do."""
    printed, code = io.StringIO(), "\n".join(blocks)
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    return printed.getvalue().splitlines(), re.findall(r"print\(.*\)\s+# (.*)", code)


def trains(block):
    """Whether a block trains models from nothing, which takes a minute."""
    return "import tasks" in block


@pytest.fixture
def holiday(tmp_path):
    """The photograph that the README speaks of."""
    pictures = ROOT / "tasks" / "demo" / "data" / "pictures"
    shutil.copy(pictures / "woman.jpg", tmp_path / "holiday.jpg")


def test_code_runs_and_prints_what_it_says(tmp_path, monkeypatch, holiday):
    monkeypatch.chdir(tmp_path)
    lines, expected = run_code(b for b in code_blocks("python") if not trains(b))
    assert expected
    for text in expected:
        assert text in lines


@pytest.mark.slow
def test_code_that_trains_runs(tmp_path, monkeypatch, holiday):
    monkeypatch.chdir(tmp_path)
    for name, line in (
        ("poems.txt", "Shall I compare thee to a summer's day?\n"),
        ("reviews.tsv", "a lovely film\tgood\na dull film\tbad\n"),
        ("news.txt", "a dog runs\n"),
        ("texts.txt", "A lovely film, or a dull one?\n"),
        ("pairs.tsv", "a dog runs\tein Hund rennt\na cat sits\teine Katze sitzt\n"),
    ):
        (tmp_path / name).write_text(line * 8)
    run_code(code_blocks("python"))
    assert len(Path("news.de.txt").read_text("utf-8").splitlines()) == 8
    assert Path("served", "saved_model.pb").exists()
