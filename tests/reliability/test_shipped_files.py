"""A byte changed in any file of a shipped preset: refused, with the file's name."""

import os
import shutil

import pytest

import zoo
from zoo.hub import PRESETS
from zoo.integrity import SUMS
from zoo.preset import read_preset

# The smallest of them: each file is read as often as there are files.
NAMES = sorted(
    (path.parent for path in PRESETS.glob("*/config.json")),
    key=lambda folder: sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()),
)[:3]


@pytest.mark.parametrize("source", NAMES, ids=lambda folder: folder.name)
def test_a_byte_in_each_file(source, tmp_path, tried):
    folder = shutil.copytree(source, tmp_path / "preset")
    names = [p.relative_to(folder) for p in folder.rglob("*") if p.is_file()]
    assert len(names) >= 5
    for name in names:
        place = (folder / name).stat().st_size // 2
        with open(folder / name, "r+b") as file:
            file.seek(place)
            old = file.read(1)
            file.seek(place)
            file.write(bytes([old[0] ^ 4]))
        with pytest.raises(zoo.PresetError) as caught:
            zoo.load(folder)
        # A changed sum is told of the file whose sum it is.
        assert name.name in str(caught.value) or name.name == SUMS
        with open(folder / name, "r+b") as file:
            file.seek(place)
            file.write(old)
    assert read_preset(folder).examples
    tried(len(names))


def test_an_intact_copy_is_what_was_shipped(tmp_path):
    folder = shutil.copytree(NAMES[0], tmp_path / "preset")
    assert read_preset(folder).config == read_preset(NAMES[0]).config
    assert os.listdir(folder)
