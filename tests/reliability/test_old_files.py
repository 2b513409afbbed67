"""Files of every version, read and repeated for ever."""

import shutil

import keras
import numpy as np
import pytest

import zoo
from tests import old_files
from tests.task_contract import assert_alike
from zoo.preset import read_preset

pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="made there"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

VERSIONS = sorted(old_files.DATA.glob("v*"))
PRESETS = [path.parent for path in sorted(old_files.DATA.glob("v*/*/config.json"))]
# Other processors add up in another order.
TOLERANCE = 1e-3


def named(path):
    return f"{path.parent.name}-{path.name}"


def test_this_version_has_its_files():
    # If this fails: python tests/old_files.py
    assert old_files.DATA / f"v{zoo.VERSION}" in VERSIONS
    for version in VERSIONS:
        assert {path.name for path in version.iterdir()} >= {"run", "ner"}
    sizes = [p.stat().st_size for p in old_files.DATA.rglob("*") if p.is_file()]
    assert sum(sizes) < 2**20 * len(VERSIONS)


@pytest.mark.parametrize("folder", PRESETS, ids=named)
def test_a_preset_gives_the_answers_that_it_gave(folder):
    preset = read_preset(folder)
    assert preset.config["versions"]["recurrent-zoo"] == folder.parent.name[1:]
    assert_alike(zoo.load(folder).examples(), preset.examples, TOLERANCE)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.name)
def test_a_run_ends_as_it_did(version, tmp_path):
    folder = shutil.copytree(version / "run", tmp_path / "run")
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append(epoch)
    )
    got = old_files.run(folder, [watch])
    assert seen == [1], "the state was not taken up"
    with np.load(version / "run" / "ended.npz") as wanted:
        assert len(wanted.files) == len(got)
        for name, array in zip(wanted.files, got, strict=True):
            np.testing.assert_allclose(array, wanted[name], rtol=0, atol=TOLERANCE)
