"""Compiles one task's steps, in a process of its own: `python -m tasks.tpu.worker`.

A process has one backend, and JAX must know before it starts that there is no TPU. What
to do comes on stdin as JSON; findings go to stdout, a line of JSON for each.
"""

import contextlib
import importlib
import json
import math
import os
import sys
import traceback


def main():
    """Does what stdin asks for; see `tasks.tpu.check.check`."""
    request = json.load(sys.stdin)
    # Libraries print to stdout, where only findings may stand.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with contextlib.redirect_stdout(sys.stderr):
        try:
            for finding in findings(**request):
                print(json.dumps(finding), file=out, flush=True)
        except Exception as error:
            if not isinstance(error, ValueError | OSError | ImportError):
                traceback.print_exc()
            kind = type(error).__name__
            print(json.dumps({"error": str(error), "kind": kind}), file=out, flush=True)


def findings(name, options, chip, topologies, batch, length, steps=None):
    """Yields a dict for each step and slice; see `tasks.tpu.check.check`."""
    import keras

    from tasks.tpu.chips import devices_of, memory_of
    from tasks.tpu.compiling import compile_program
    from tasks.tpu.reading import read
    from tasks.tpu.sizes import waste_of
    from tasks.tpu.steps import steps_of
    from tasks.tpu.untrained import NAMES
    from zoo.devices import compiling_for

    backend = keras.backend.backend()
    lowering = importlib.import_module(f"tasks.tpu.from_{backend}")
    slices = [(topology, devices_of(chip, topology)) for topology in topologies]
    available = memory_of(slices[0][1][0])

    def build():
        return steps_of(made(name, options), batch, length)

    with compiling_for("tpu"):
        # What has learned nothing needs no values; TensorFlow makes them all the same.
        shaped = getattr(lowering, "shaped", None) if name in NAMES else None
        for step in shaped(build) if shaped else build():
            if steps and step.name not in steps:
                continue
            program = lowering.program_of(step)
            for topology, devices in slices:
                done = compile_program(program, devices)
                yield {
                    "step": step.name,
                    "backend": backend,
                    "chip": chip,
                    "topology": topology,
                    "batch": batch,
                    "length": length,
                    "fits": done.available is None,
                    "needed_bytes": done.needed,
                    "available_bytes": done.available or available,
                    "compile_seconds": round(done.seconds, 2),
                    "trainable_bytes": sum(
                        4 * math.prod(v.shape) for v in step.model.trainable_variables
                    ),
                    **done.costs,
                    **read(done.lowered, done.compiled),
                    "sizes": waste_of(step, len(devices)),
                }


def made(name, options):
    """The task to check: a trained one, or one of a size."""
    import zoo
    from tasks.tpu.untrained import NAMES, untrained

    return untrained(name, options) if name in NAMES else zoo.load(name, **options)


if __name__ == "__main__":
    main()
