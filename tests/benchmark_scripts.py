"""Loads the scripts of `benchmarks/`, which are no package."""

import importlib.util
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "benchmarks"


def load(name):
    """A script as a module, under a name of its own.

    Args:
        name: Such as `"layers"`, or `"papers/ntm_tasks"`.
    """
    path = FOLDER / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{path.stem}_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    # Scripts import what stands beside them.
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module
