"""Chips that can be compiled for without one, and what their compiler knows of them."""

import importlib.util
import re

from zoo.lazy import Lazy, jax

CHIPS = ("v5e", "v6e")
HINT = "pip install 'recurrent-zoo[tpu]' (the TPU's compiler; Linux on x86-64 alone)"

_topologies = Lazy("jax.experimental.topologies", HINT)

# A process that compiles needs no TPU, must not look for one, and may have neighbours.
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = r"([\d.]+)([KMGT]?)"
_REFUSALS = (
    rf"Used {_SIZE} of {_SIZE} hbm",
    rf"\({_SIZE}\) exceeds available HBM \({_SIZE}B?\)",
)
_SLICE = re.compile(r"[1-9]\d?x[1-9]\d?")


def check_installed():
    """Raises an ImportError, in one line, if the compiler is not there."""
    for module in ("jax", "libtpu"):
        if importlib.util.find_spec(module) is None:
            raise ImportError(f"{module} is needed to compile for a TPU: {HINT}")


def check_slice(chip, topology):
    """Raises a ValueError if there is no such kind of chip, or no such slice."""
    if chip not in CHIPS:
        raise ValueError(f"Unknown chip {chip!r}; there are {', '.join(CHIPS)}.")
    if not _SLICE.fullmatch(topology):
        raise ValueError(
            f"A slice is two numbers of chips, such as 1x1, 2x2 or 16x16. "
            f"Received: {topology!r}"
        )


def devices_of(chip, topology="1x1"):
    """The chips of a slice that one can compile for.

    Args:
        chip: `"v5e"` or `"v6e"`.
        topology: `"1x1"` for one chip, `"2x2"` for four, up to `"16x16"`.

    Returns:
        List of JAX devices, which compile and do not run.

    Raises:
        ImportError: If libtpu is not installed.
        ValueError: If there is no such slice.
    """
    check_installed()
    check_slice(chip, topology)
    # A host of these chips has four of them, unless one says otherwise.
    host = {"chips_per_host_bounds": [1, 1, 1]} if topology == "1x1" else {}
    try:
        found = _topologies.get_topology_desc(
            platform="tpu", topology_name=f"{chip}:{topology}", **host
        )
    except jax.errors.JaxRuntimeError as error:
        raise ValueError(
            f"The compiler knows no slice {topology} of {chip}; try 1x1, 2x2, 4x4, "
            f"8x8 or 16x16. It said: {str(error):.200}"
        ) from error
    return list(found.devices)


def memory_of(device):
    """Bytes of a chip's memory that programs may use, as its compiler says."""
    # It tells only when it has to refuse something: here, eight terabytes.
    place = jax.sharding.SingleDeviceSharding(device)
    huge = jax.ShapeDtypeStruct((2**20, 2**20), "float32", sharding=place)
    try:
        jax.jit(lambda x: x + 1).lower(huge).compile()
    except jax.errors.JaxRuntimeError as error:
        found = refusal(str(error))
        if found is not None:
            return found[1]
        raise
    raise RuntimeError(f"{device.device_kind} takes 8 terabytes: this is no real chip.")


def refusal(message):
    """Bytes needed, and bytes there are, in the words of a compiler that refuses.

    Args:
        message: What it said.

    Returns:
        Two integers, or `None` if it is about something else.
    """
    for pattern in _REFUSALS:
        found = re.search(pattern, message)
        if found:
            numbers = found.groups()
            return tuple(
                round(float(n) * _UNITS[unit])
                for n, unit in zip(numbers[::2], numbers[1::2], strict=True)
            )
    return None
