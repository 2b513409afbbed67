"""A step as one function of arrays, whichever backend it was written on."""

from collections.abc import Callable
from typing import NamedTuple

from tasks.tpu.steps import Input


class Program(NamedTuple):
    """What is given to the TPU's compiler.

    Attributes:
        name: The step's.
        function: JAX function of a flat list of arrays.
        state: List of `Input`, the weights and whatever else stays on the chips.
        inputs: List of `Input` that come after these, anew in each call.
        trains: Whether it returns the state anew, in the memory of the old one.
        wide: Whether it has numbers of 64 bits.
    """

    name: str
    function: Callable
    state: list[Input]
    inputs: list[Input]
    trains: bool
    wide: bool = False
