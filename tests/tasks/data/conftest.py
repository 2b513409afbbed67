import os
import pathlib

import pytest


@pytest.fixture
def data_dir():
    """The folder with wnut17, btc_ner and conll2003, if this machine has it."""
    folder = os.environ.get("ZOO_DATA_DIR")
    if not folder:
        pytest.skip("set ZOO_DATA_DIR to a folder with wnut17, btc_ner and conll2003")
    return pathlib.Path(folder)
