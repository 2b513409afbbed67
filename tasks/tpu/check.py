"""Compiles a task for a TPU on both backends, each in a process of its own."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

from tasks.tpu.chips import ENVIRONMENT, check_installed, check_slice

BACKENDS = ("jax", "tensorflow")
TOPOLOGIES = ("1x1", "2x2")
_ROOT = Path(__file__).parents[2]


def check(
    name,
    chip="v5e",
    topologies=TOPOLOGIES,
    backends=BACKENDS,
    batch=64,
    length=64,
    options=None,
    steps=None,
):
    """Yields what the TPU's compiler says of each step of a task.

    Args:
        name: Name or folder of a trained model; or that of a task, such as `"ner"`, for
            an untrained one.
        chip: `"v5e"` or `"v6e"`.
        topologies: Slices such as `"1x1"`, one chip, and `"2x2"`, four that share each
            batch.
        backends: Some of `BACKENDS`.
        batch: Rows of a batch, those of all chips together.
        length: Steps of time; forecasters have their own.
        options: Dict of options of the task's that differ.
        steps: Names of the steps to compile; all by default.

    Returns:
        Iterator of dicts, see `tasks.tpu.worker.findings`; those that
        `tasks.tpu.report.faults` finds nothing in are fit for a TPU.

    Raises:
        ImportError: If the compiler is not installed.
        ValueError: If there is no such model, slice or option.
        RuntimeError: If something does not compile.
    """
    for topology in topologies:
        check_slice(chip, topology)
    for number, what in ((batch, "batch"), (length, "length")):
        if number < 1:
            raise ValueError(f"`{what}` must be positive. Received: {number}")
    check_installed()
    request = {
        "name": name,
        "options": options or {},
        "chip": chip,
        "topologies": list(topologies),
        "batch": batch,
        "length": length,
        "steps": steps,
    }
    return (found for backend in backends for found in _findings(backend, request))


def _findings(backend, request):
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        **ENVIRONMENT,
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join(paths),
        "CUDA_VISIBLE_DEVICES": "",  # nothing is run, so no GPU need wake
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    debug = os.environ.get("ZOO_DEBUG") == "1"
    process = subprocess.Popen(
        # -P: a folder `tasks` that happens to be here is not ours.
        [sys.executable, "-P", "-m", "tasks.tpu.worker"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # The compiler says much of the TPU that it does not find.
        stderr=None if debug else subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    with process:
        try:
            with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                stdin.write(json.dumps(request))
            for line in process.stdout:
                yield _checked(json.loads(line), backend)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise RuntimeError(
            f"The process that compiles for {backend} ended with code "
            f"{process.returncode}; ZOO_DEBUG=1 shows what it said."
        )


def _checked(found, backend):
    if "error" not in found:
        return found
    if found["kind"] in ("ValueError", "PresetError"):
        raise ValueError(found["error"])
    raise RuntimeError(f"{backend}: {found['error']}")
