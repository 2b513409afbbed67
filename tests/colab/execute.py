"""Runs notebooks from top to bottom: `python tests/colab/execute.py` keeps the outputs.

Each runs in a fresh kernel, in an empty folder. Without `nbclient` and `ipykernel` the
code cells run as one program, and outputs cannot be kept.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "colab").glob("*.ipynb"))
_TIMEOUT = 1200  # seconds a cell may take
# What TensorFlow logs when it starts and traces tells of the machine, not of the zoo.
_CHATTER = re.compile(
    r"WARNING: All log messages before absl|[IWE]\d{4} \d\d:\d\d:"
    r"|WARNING:tensorflow:\d+ out of the last \d+ calls"
)


def read(path):
    """The notebook as plain data."""
    return json.loads(Path(path).read_text("utf-8"))


def text_of(cell):
    """The source of a cell as one string."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def code_of(notebook):
    """Sources of the code cells, without the lines that only a notebook understands."""
    found = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            lines = text_of(cell).splitlines()
            found.append("\n".join(x for x in lines if not x.startswith("%")))
    return found


def digest_of(notebook):
    """Tells the code of a notebook from any other."""
    return hashlib.sha256("\0".join(code_of(notebook)).encode()).hexdigest()


def has_kernel():
    """Whether notebooks can be run as notebooks."""
    return all(map(importlib.util.find_spec, ("nbclient", "nbformat", "ipykernel")))


def environment():
    """Variables of the process that runs a notebook: this checkout, and no chatter."""
    names = ("KERAS_BACKEND", "MPLBACKEND")
    kept = {k: v for k, v in os.environ.items() if k not in names}
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(paths),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS", "cpu"),
    }


def run_in_kernel(path, folder):
    """Runs a notebook in a fresh kernel.

    Args:
        path: The notebook.
        folder: Where it runs.

    Returns:
        The notebook with its outputs, as plain data.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)

    def tell(cell, **_):
        print(f"{Path(path).stem}: {cell['id']}", flush=True)

    client = nbclient.NotebookClient(
        notebook,
        timeout=_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        on_cell_executed=tell,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=environment())
    return json.loads(nbformat.writes(notebook))


def run_as_program(path, folder):
    """Runs the code cells one after the other, in one Python process.

    Raises:
        subprocess.CalledProcessError: If a cell fails.
    """
    program = "\n\n".join(code_of(read(path)))
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**environment(), "MPLBACKEND": "Agg"},
        check=True,
        timeout=_TIMEOUT,
    )


def without_chatter(outputs):
    """Outputs of a cell as they read: streams in one piece, no logs of libraries."""
    found = []
    for output in outputs:
        if output["output_type"] == "stream":
            lines = "".join(output["text"]).splitlines(keepends=True)
            lines = [line for line in lines if not _CHATTER.match(line)]
            if not "".join(lines).strip():
                continue
            output = {**output, "text": lines}
            if found and found[-1].get("name") == output["name"]:
                found[-1]["text"] += lines
                continue
        found.append(output)
    return found


def keep(path, notebook):
    """Writes a notebook that was run, with the digest of the code it was made by."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = without_chatter(cell["outputs"])
    notebook["metadata"]["language_info"] = {"name": "python"}
    notebook["metadata"]["executed"] = digest_of(notebook)
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    Path(path).write_text(text + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="all by default")
    parser.add_argument(
        "--check", action="store_true", help="run only; outputs are not kept"
    )
    arguments = parser.parse_args()
    if not arguments.check and not has_kernel():
        parser.error("it needs: pip install nbclient nbformat ipykernel")
    for path in arguments.notebooks or NOTEBOOKS:
        with tempfile.TemporaryDirectory() as folder:
            if not has_kernel():
                run_as_program(path, folder)
                continue
            notebook = run_in_kernel(path, folder)
            if not arguments.check:
                keep(path, notebook)
        print(f"{path.name}: ran to its end", flush=True)


if __name__ == "__main__":
    main()
