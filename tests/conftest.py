"""Seeds for all tests, and a preset made by hand, for tests of the hub."""

import keras
import pytest

from tests.contract import COSTLY
from tests.toy_preset import FakeModel, build_preset, sign


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Leaves the costly promises of variants of a contract to `make test-all`."""
    for item in items:
        contract = getattr(item, "cls", None)
        costly = getattr(contract, "costly", COSTLY)
        if getattr(contract, "variant", False) and item.name.startswith(costly):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def seeded():
    """Weights start alike in every run: a failure can be repeated."""
    keras.utils.set_random_seed(1)


class Maker:
    """Makes presets in a test's own folder, and signs them again after changes."""

    def __init__(self, root):
        self.root = root

    def __call__(self, name="toy", **options):
        return build_preset(self.root / name, **options)

    sign = staticmethod(sign)
    model = FakeModel


@pytest.fixture
def make_preset(tmp_path):
    return Maker(tmp_path)


@pytest.fixture
def preset_folder(make_preset):
    return make_preset()
