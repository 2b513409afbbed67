"""Reads programs: what calls the host, what has no fixed shape, what is padding."""

import math
import re

_CALLBACKS = re.compile(
    r'custom_call(?:_target)?\s*[@=(]*\s*"?([\w.$]*(?:callback|Callback|py_func)[\w.$]*)'
)
# Operations that talk to the host, in either language.
_TALK = re.compile(
    r"\b(?:stablehlo\.)?(infeed|outfeed)\b|"
    r"\b(?:stablehlo\.)?(send|recv)\b(?=.*is_host_transfer\s*=\s*true)"
)
_UNKNOWN = re.compile(r"tensor<(?:\d+x)*\?|\b\w+\[(?:\d+,)*<=")
_RESIZING = re.compile(
    r"\bstablehlo\.(?:real_)?(dynamic_(?:reshape|broadcast_in_dim|iota|pad|gather|conv))"
    r"|\b(set-dimension-size)\(|\b(PadToStatic|SliceToDynamic)\b"
)
_CONSTANT = re.compile(r"(%[\w#]+) = stablehlo\.constant dense<(\d+)> : tensor<i\d+>")
_SET_SIZE = re.compile(
    r"stablehlo\.set_dimension_size %[\w#]+, (%[\w#]+), dim = (\d+) : \(tensor<([^>]*)>"
)
_COLLECTIVE = re.compile(
    r" (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)"
    r"(?:-start)?\("
)
_HEADER = re.compile(r"^(?:ENTRY )?%?([\w.$-]+) \(.*\{$")
_CALLED = re.compile(
    r"(?:body|condition|calls|to_apply|[a-z_]*computation)=%?([\w.$-]+)"
)
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_LOOP = re.compile(r"\bbody=%?([\w.$-]+)")
_ARRAY = re.compile(
    r"\b(pred|[suf]\d+\w*|bf16|c64)\[([\d,]*)\](?:\{([\d,]*)(?::([^}]*))?\})?"
)
_TILE = re.compile(r"T\(([\d,]+)\)")
_BITS = {"pred": 8, "bf16": 16, "c64": 64}


def read(lowered, compiled):
    """What a program tells of itself.

    Args:
        lowered: Its text in StableHLO, before the compiler.
        compiled: Its text in HLO, after it; `""` if there is none.

    Returns:
        Dict: `"callbacks"` and `"dynamic_shapes"`, lists of what was found;
        `"collectives"`, a dict from operations such as `"all-reduce"` to how many there
        are; `"all_reduce_bytes"`, what a chip adds up with others; and
        `"collectives_in_loops"`, how many are done again at each step of a
        loop; `"memory_padding"`, the part of arguments and of what loops carry that is
        padding, from 0 to 1.
    """
    bodies = computations(compiled)
    inside = in_loops(bodies)
    counts, looped, summed = {}, 0, 0
    for name, lines in bodies.items():
        for line in lines:
            found = _COLLECTIVE.search(line)
            if found:
                counts[found[1]] = counts.get(found[1], 0) + 1
                looped += name in inside
                if found[1] == "all-reduce":
                    arrays = _ARRAY.findall(line[: found.start()])
                    summed += sum(array_bytes(*array)[0] for array in arrays)
    return {
        "callbacks": sorted({*callbacks(lowered), *callbacks(compiled)}),
        "dynamic_shapes": sorted({*dynamic_shapes(lowered), *dynamic_shapes(compiled)}),
        "collectives": counts,
        "all_reduce_bytes": summed,
        "collectives_in_loops": looped,
        "memory_padding": round(memory_padding(compiled), 4),
    }


def callbacks(text):
    """Names of operations that call the host, a set."""
    found = set(_CALLBACKS.findall(text))
    for line in text.splitlines():
        talk = _TALK.search(line)
        if talk and "metadata" not in line[: talk.start()]:
            found.add(next(filter(None, talk.groups())))
    return found


def dynamic_shapes(text):
    """Shapes and operations whose size is only known when they run, a set."""
    found = {"?" if "?" in m else "<=" for m in _UNKNOWN.findall(text)}
    for groups in _RESIZING.findall(text):
        found.update(filter(None, groups))
    constants = {}
    for line in text.splitlines() if "set_dimension_size" in text else ():
        constants.update(_CONSTANT.findall(line))
        resized = _SET_SIZE.search(line)
        # TensorFlow's sort and top-k set sizes, too: to what they are.
        if resized and constants.get(resized[1]) != _axes(resized[3])[int(resized[2])]:
            found.add("set_dimension_size")
    return found


def _axes(tensor):
    """The sizes in `"4x3xf32"`, as they stand there."""
    return tensor.split("x")[:-1]


def computations(text):
    """Dict from the names of an HLO program's computations to their lines."""
    found, current = {}, None
    for line in text.splitlines():
        header = _HEADER.match(line)
        if header:
            current = found.setdefault(header[1], [])
        elif current is not None and line.startswith(" "):
            current.append(line)
    return found


def in_loops(bodies):
    """Names of the computations that loops run, a set."""
    pending = [
        name for lines in bodies.values() for x in lines for name in _LOOP.findall(x)
    ]
    found = set()
    while pending:
        name = pending.pop()
        if name in found or name not in bodies:
            continue
        found.add(name)
        for line in bodies[name]:
            pending += _CALLED.findall(line)
            for names in _BRANCHES.findall(line):
                pending += [one.strip().lstrip("%") for one in names.split(",")]
    return found


def memory_padding(text):
    """The part of memory that is padding: of arguments, and of what loops carry."""
    entry = text.partition("\nENTRY ")[2].partition("\n}")[0]
    real = padded = 0
    for line in entry.splitlines():
        if " parameter(" in line or " while(" in line:
            for array in _ARRAY.findall(line.partition(" = ")[2].partition("), ")[0]):
                sizes = array_bytes(*array)
                real, padded = real + sizes[0], padded + sizes[1]
    return 1 - real / padded if padded else 0.0


def array_bytes(dtype, shape, order, layout):
    """Bytes of an array's numbers, and of the memory that it takes.

    Args:
        dtype, shape: As in HLO: `"f32"` and `"20,64"`.
        order: Its axes from the innermost one on, such as `"1,0"`.
        layout: What comes after them, such as `"T(8,128)"`: tiles are filled up.
    """
    bits = _BITS.get(dtype) or int(re.search(r"\d+", dtype)[0])
    sizes = [int(n) for n in shape.split(",") if n]
    real = math.prod(sizes) * bits // 8
    tile = _TILE.search(layout)
    if tile is None:
        return real, real
    tile = [int(n) for n in tile[1].split(",")][::-1]
    inner = [sizes[int(axis)] for axis in order.split(",") if axis] or [1]
    inner += [1] * (len(tile) - len(inner))
    for axis, unit in enumerate(tile):
        inner[axis] = -(-inner[axis] // unit) * unit
    return real, math.prod(inner) * bits // 8
