"""Compiles a program for a slice of a TPU, on a machine that has none."""

import time
import warnings
from typing import NamedTuple

import numpy as np

from tasks.tpu.chips import refusal
from zoo.lazy import Lazy, jax

_sharding = Lazy("jax.sharding", "pip install jax")


class Compiled(NamedTuple):
    """What came of it.

    Attributes:
        seconds: How long compiling took.
        needed: Bytes of each chip's memory that the program needs.
        available: Bytes there are, if it was refused for that; else `None`.
        lowered: Text of the program in StableHLO, as the compiler got it.
        compiled: Text of the program in HLO, as it made it; `""` if refused.
        costs: Dict of the compiler's own estimates: `"flops"`, `"bytes accessed"`.
    """

    seconds: float
    needed: int
    available: int | None
    lowered: str
    compiled: str
    costs: dict


def compile_program(program, devices):
    """Compiles; several chips share each batch, and have all weights.

    Args:
        program: `tasks.tpu.program.Program`.
        devices: List of devices of `tasks.tpu.chips.devices_of`.

    Returns:
        `Compiled`.

    Raises:
        ValueError: If the chips cannot share the batch evenly.
        jax.errors.JaxRuntimeError: If the compiler refuses for another reason than
            memory.
    """
    mesh = _sharding.Mesh(np.array(devices), ("batch",))
    everywhere = _sharding.NamedSharding(mesh, _sharding.PartitionSpec())
    arguments = [_placed(x, mesh) for x in [*program.state, *program.inputs]]
    run = jax.jit(
        program.function,
        donate_argnums=tuple(range(len(program.state))) if program.trains else (),
        out_shardings=everywhere if program.trains else None,
        keep_unused=True,
    )
    with warnings.catch_warnings(), jax.enable_x64(program.wide):
        # Some of the state, such as fixed vectors, comes back in no output.
        warnings.filterwarnings("ignore", "Some donated buffers were not usable")
        lowered = run.trace(*arguments).lower(lowering_platforms=("tpu",))
        text, start = lowered.as_text(), time.perf_counter()
        try:
            compiled = lowered.compile()
        except jax.errors.JaxRuntimeError as error:
            sizes = refusal(str(error))
            if sizes is None:
                raise
            return Compiled(time.perf_counter() - start, *sizes, text, "", {})
        seconds = time.perf_counter() - start
    costs = compiled.cost_analysis() or {}
    return Compiled(
        seconds,
        _needed(compiled.memory_analysis()),
        None,
        text,
        compiled.as_text(),
        {k: costs[k] for k in ("flops", "bytes accessed") if k in costs},
    )


def _placed(given, mesh):
    spec = [None] * len(given.shape)
    if given.axis is not None:
        spec[given.axis] = "batch"
        rows, chips = given.shape[given.axis], mesh.devices.size
        if rows % chips:
            raise ValueError(
                f"{chips} chips share a batch, so it must be a multiple of {chips}. "
                f"Received: {rows} rows"
            )
    place = _sharding.NamedSharding(mesh, _sharding.PartitionSpec(*spec))
    return jax.ShapeDtypeStruct(given.shape, given.dtype, sharding=place)


def _needed(memory):
    held = memory.argument_size_in_bytes + memory.output_size_in_bytes
    held -= memory.alias_size_in_bytes
    return held + memory.temp_size_in_bytes + memory.generated_code_size_in_bytes
