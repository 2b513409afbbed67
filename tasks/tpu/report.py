"""What a TPU would make of a task, as a person reads it."""

import io

from rich.console import Console
from rich.table import Table

COLUMNS = ("step", "from", "slice", "compiled in", "memory of a chip", "padding")
COLUMNS += ("all-reduces", "verdict")


def faults(found):
    """What speaks against a step, list of texts; empty if it is fit for a TPU.

    Args:
        found: Dict of `tasks.tpu.worker.findings`.
    """
    said = []
    if not found["fits"]:
        needs, has = (size(found[f"{k}_bytes"]) for k in ("needed", "available"))
        said.append(f"does not fit: needs {needs} of {has}")
    if found["callbacks"]:
        said.append(f"calls the host: {', '.join(found['callbacks'])}")
    if found["dynamic_shapes"]:
        said.append(f"no fixed shapes: {', '.join(found['dynamic_shapes'])}")
    return said


def size(count):
    """Bytes as a person reads them: `"15.75 GB"`, of 2^30 bytes each."""
    for unit, name in ((2**40, "TB"), (2**30, "GB"), (2**20, "MB")):
        if count >= unit:
            return f"{count / unit:.4g} {name}"
    return f"{count / 2**10:.3g} KB"


def document(name, every):
    """All of it as plain values for JSON."""
    return {
        "model": name,
        "compiled_for_tpu": not any(map(faults, every)),
        "run_on_tpu": False,
        "steps": [{**found, "faults": faults(found)} for found in every],
    }


def text(name, every):
    """A table of the steps, and what could be better about their sizes."""
    first = every[0]
    table = Table(
        title=f"{name} on {first['chip']}, {first['batch']} rows of {first['length']} "
        "steps: compiled, not run",
        title_justify="left",
    )
    for column in COLUMNS:
        table.add_column(column, justify="left")
    for found in every:
        table.add_row(*_row(found))
    stream = io.StringIO()
    Console(file=stream, width=118).print(table)
    against = [
        f"{found['step']}, {found['backend']}, {found['topology']}: {fault}"
        for found in every
        for fault in faults(found)
    ]
    return "\n".join([stream.getvalue().rstrip(), *against, *_advice(every)])


def _row(found):
    memory = f"{size(found['needed_bytes'])} of {size(found['available_bytes'])}"
    return (
        found["step"],
        found["backend"],
        found["topology"],
        f"{found['compile_seconds']:.1f} s",
        memory,
        f"{found['memory_padding']:.0%}" if found["fits"] else "",
        _collectives(found),
        "NO, see below" if faults(found) else "fits",
    )


def _collectives(found):
    counts = found["collectives"]
    told = [str(counts.get("all-reduce", 0))]
    told += [f"{n} {kind}" for kind, n in counts.items() if kind != "all-reduce"]
    looped = found["collectives_in_loops"]
    return ", ".join(told) + f" ({looped} in loops)" * bool(looped)


def _advice(every):
    """Sizes that a TPU fills up, each told once."""
    lines = []
    odd = {(f["topology"], f["sizes"]["rows"]) for f in every}
    for topology, rows in sorted(odd):
        if rows % 8:
            lines.append(
                f"Each chip of {topology} has {rows:g} rows of a batch; they are "
                "filled up to a multiple of 8."
            )
    features = next(f["sizes"]["features"] for f in every)
    if features:
        few = ", ".join(
            f"{f['weight']} ({f['features']}, {f['padding']:.0%} padding)"
            for f in features[:4]
        )
        more = f", and {len(features) - 4} more" if len(features) > 4 else ""
        lines.append(
            f"Features that are no multiple of 128 are filled up: {few}{more}."
        )
    return lines
