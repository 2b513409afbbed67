import json
import subprocess
import sys

import pytest

from tests.planted_faults import FAULTS, RECORD, ROOT, SOUND, plant


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_still_fits_the_code(name):
    plant(name)()


def test_the_record_says_who_caught_each_fault():
    record = json.loads(RECORD.read_text("utf-8"))
    assert record.pop(SOUND) == []
    assert list(record) == list(FAULTS)
    assert all(record.values())


@pytest.mark.slow
def test_every_fault_is_caught(tmp_path):
    script = [sys.executable, "tests/planted_faults.py", "--jobs", "2"]
    script += ["--output", tmp_path / "record.json"]
    done = subprocess.run(
        script, cwd=ROOT, capture_output=True, text=True, timeout=3600
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
