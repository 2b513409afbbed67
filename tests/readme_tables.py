"""Writes the README's tables from what they are about: `python tests/readme_tables.py`.

A test compares: nobody types a number, or forgets a line.
"""

import inspect
import json
import pathlib
import re
import sys
from statistics import median

ROOT = pathlib.Path(__file__).parents[1]
README = ROOT / "README.md"


def models():
    """The trained models with the scores of their cards."""
    from tasks import model_table

    return model_table.markdown_table(model_table.card_data())


def layers():
    """The layers with the first line of their docstring and what they are from."""
    import zoo

    rows = ["| Layer | What it is | From |", "| --- | --- | --- |"]
    for name in zoo.layers.__all__:
        layer = getattr(zoo.layers, name)
        if inspect.isclass(layer):
            docstring = inspect.getdoc(layer)
            what = docstring.partition("\n")[0]
            rows.append(f"| `{name}` | {what} | {_references(docstring)} |")
    return "\n".join(rows)


def _references(docstring):
    part = re.search(r"^References?:\n((?:[ \t]+.*\n?|\n)+)", docstring, re.MULTILINE)
    if not part:
        return ""
    found = []
    for item in re.split(r"^\s*- ", part[1], flags=re.MULTILINE)[1:]:
        item = " ".join(item.split())
        match = re.fullmatch(r"(.+?), \[.+\]\(\s*(\S+?)\s*\)(?:, .*?)?(\d{4})\.?", item)
        if not match:
            raise ValueError(f"expected `Authors, [Title](address), year`, got {item}")
        found.append(f"[{match[1]}, {match[3]}]({match[2]})")
    return "; ".join(found)


def speed():
    """Ratios of time that `make bench` found: medians over turns."""
    path = ROOT / "benchmarks" / "results" / "layers.json"
    if not path.exists():
        return "Not measured yet on a quiet machine: `make bench` does."
    found = json.loads(path.read_text("utf-8"))
    pairs = [
        ("zoo", "torch"),
        ("zoo+zoneout", "zoo"),
        ("keras jit", "torch"),
        ("zoo GRU", "torch GRU"),
        ("zoo QRNN", "torch"),
        ("zoo IndRNN", "torch"),
    ]
    heads = ["(batch, time, units)", "", *(f"{a} to {b}" for a, b in pairs)]
    rows = [heads, ["---"] * len(heads)]
    for race in found["races"]:
        times = {name: result["times"] for name, result in race["results"].items()}
        cells = [
            f"{median(x / y for x, y in zip(times[a], times[b], strict=True)):.2f}"
            for a, b in pairs
        ]
        rows.append([str(tuple(race["shape"])), race["mode"], *cells])
    machine = found["machine"]
    note = f"On {machine['cores']} cores ({machine['processor']}), load when written: "
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{table}\n\n{note}{machine['load']}."


TABLES = {"models": models, "layers": layers, "speed": speed}


def filled(text):
    """Returns the README's text with every table between its markers made anew."""
    for name, table in TABLES.items():
        pattern = rf"(<!-- table: {name} -->\n).*?(<!-- end of table -->)"
        fresh = table()
        text, count = re.subn(
            pattern,
            lambda match, fresh=fresh: f"{match[1]}\n{fresh}\n\n{match[2]}",
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise ValueError(f"README.md has {count} tables named {name}, not 1.")
    return text


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    README.write_text(filled(README.read_text("utf-8")), "utf-8")
