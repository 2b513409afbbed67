"""Writes the table of all experiments that were run: `results/papers/README.md`.

Every number comes from the JSON files beside it.
"""

import argparse
import json
from pathlib import Path

from experiment import RESULTS

# What is told of an experiment, in this order, of what its runs found.
SCORES = (
    "test_accuracy",
    "recall",
    "cross_entropy",
    "mse",
    "solved",
    "steps",
    "parameters",
)
HEAD = """# Experiments of the papers, run again

Made by `python benchmarks/papers/report.py` from the JSON files in this folder, which
also hold the curves, the settings and the machine of every run. Means, ± sample
standard deviation over seeds, and the seeds' number.
"""


def table(content):
    """Lines of Markdown for one experiment."""
    groups = content["summary"]
    # Settings that are the same in all rows say nothing there.
    changing = {
        name
        for group in groups
        for name, value in group["settings"].items()
        if value != groups[0]["settings"].get(name) and name != "options"
    }
    settings = sorted(changing)
    names = dict.fromkeys(name for g in groups for name in g["scores"])
    by_length = [name for name in names if name.startswith("wrong_bits_at_")]
    found = [name for name in (*SCORES, *by_length) if name in names]
    head = ["variant", *settings, *found, "seeds", "CPU s per run"]
    lines = [" | ".join(head), " | ".join(["---"] * len(head))]
    for group in groups:
        cpu = group["cpu_seconds"]
        cells = [
            group["variant"],
            *(str(group["settings"].get(name, "")) for name in settings),
            *(shown(group["scores"].get(name)) for name in found),
            str(len(group["seeds"])),
            f"{sum(cpu) / len(cpu):.0f}",
        ]
        lines.append(" | ".join(cells))
    return [f"| {line} |" for line in lines]


def shown(score):
    """Mean and spread of a score, for a person."""
    if score is None:
        return ""
    if isinstance(score["values"][0], bool):
        return f"{sum(score['values'])} of {len(score['values'])}"
    mean, std = score["mean"], score["std"]
    text = f"{mean:.0f}" if mean >= 100 else f"{mean:.3g}"
    if std is None:
        return text
    return f"{text} ± {std:.0f}" if mean >= 100 else f"{text} ± {std:.2g}"


def page(folder):
    """The whole page, from the JSON files of a folder."""
    lines = [HEAD]
    for path in sorted(Path(folder).glob("*.json")):
        content = json.loads(path.read_text("utf-8"))
        if not content.get("summary"):
            continue
        machine = content["runs"][-1]["machine"]
        lines += [f"## {path.stem.replace('_', ' ')}", "", content["about"], ""]
        lines += [*table(content), ""]
        gaps = [f"{gap['what']} ({gap['seeds']} seeds)" for gap in content["not_run"]]
        if gaps:
            lines += [f"Not run in full: {'; '.join(gaps)}.", ""]
        lines += [
            f"`{content['command']}`, on {machine['processor']}, cores used: "
            f"{machine['cores']}.",
            "",
        ]
        if path.with_suffix(".png").exists():
            lines += [f"![{path.stem}]({path.stem}.png)", ""]
    return "\n".join(lines).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of results")
    folder = parser.parse_args().out
    (folder / "README.md").write_text(page(folder), "utf-8")
    print(f"written: {folder / 'README.md'}")


if __name__ == "__main__":
    main()
