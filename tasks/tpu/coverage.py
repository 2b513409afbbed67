"""Which operations of a step TensorFlow has no kernel for on a TPU.

`python -m tasks.tpu.coverage ner` asks the TensorFlow that is installed. With
`tensorflow-tpu` in the place of `tensorflow` that is the TPU's own table; the usual
build has none, and the table of XLA on a CPU has to stand for it.
"""

import json
import os
import sys

from zoo.devices import compiling_for
from zoo.lazy import Lazy, tf

_HINT = "pip install tensorflow-tpu"
_kernels = Lazy("tensorflow.python.framework.kernels", _HINT)

# What is no computation needs no kernel: the compiler reads it itself.
_STRUCTURE = {
    "NoOp",
    "Placeholder",
    "PartitionedCall",
    "StatefulPartitionedCall",
    "StatelessWhile",
    "While",
    "StatelessIf",
    "If",
    "_Arg",
    "_Retval",
}


def table():
    """The device whose table counts: `"XLA_TPU_JIT"`, or the next best there is."""
    one = tf.function(lambda x: x + 1.0, jit_compile=True)
    lower = one.experimental_get_compiler_ir(tf.TensorSpec((), tf.float32))
    # The tables are filled when something is lowered for the first time.
    for platform in ("TPU", "CPU"):
        try:
            lower(stage="hlo", platform_name=platform)
        except (tf.errors.OpError, ValueError, TypeError):
            continue
        return f"XLA_{platform}_JIT"
    raise RuntimeError("This TensorFlow lowers nothing for XLA.")


def operations_of(step):
    """Kinds of the operations of a step, with those of the functions it calls: a set.

    Args:
        step: `tasks.tpu.steps.Step`, on the TensorFlow backend.
    """
    from tasks.tpu.from_tensorflow import traced

    function, specs = traced(step)
    with compiling_for("tpu"):
        graph = function.get_concrete_function(*specs).graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    return {node.op for node in nodes}


def missing(operations, device):
    """Those of some kinds of operations that have no kernel; a sorted list."""
    asked = set(operations) - _STRUCTURE
    return sorted(kind for kind in asked if not _has(kind, device))


def _has(kind, device):
    found = _kernels.get_registered_kernels_for_op(kind).kernel
    return any(kernel.device_type == device for kernel in found)


def main(names):
    """Prints a line of JSON for each step of some tasks; returns 1 if kernels lack."""
    from tasks.tpu.steps import steps_of
    from tasks.tpu.worker import made

    device, lacking = table(), False
    for name in names:
        for step in steps_of(made(name, _SMALL.get(name, {})), 8, 8):
            kinds = operations_of(step)
            found = missing(kinds, device)
            lacking = lacking or bool(found)
            line = {"model": name, "step": step.name, "operations": len(kinds)}
            line |= {"table": device, "tensorflow": tf.__version__, "missing": found}
            print(json.dumps(line), flush=True)
    return int(lacking)


# A net of full size has the same operations, and takes minutes to trace.
_SMALL = {"captioning": {"picture_size": 32}}


if __name__ == "__main__":
    os.environ["KERAS_BACKEND"] = "tensorflow"
    sys.exit(main(sys.argv[1:]))
