"""The report of a search: one HTML page that opens anywhere, and its picture."""

import base64
import html
import io
from pathlib import Path

from tuning.importance import importances
from tuning.records import write_whole
from tuning.result import shown

_STYLE = """
body { font-family: sans-serif; margin: 2em auto; max-width: 70em; color: #222 }
table { border-collapse: collapse; font-size: 0.85em }
td, th { padding: 0.25em 0.7em; border-bottom: 1px solid #ddd; text-align: left }
tr.failed { color: #a00 }
tr.winner { background: #eef6ee }
img { width: 100% }
"""


def write(result, folder):
    """Writes `report.html` and, where matplotlib is installed, `report.png`.

    Args:
        result: `tuning.result.SearchResult`.
        folder: Where.

    Returns:
        The page's path.
    """
    folder = Path(folder)
    records = sorted(result.trials.records, key=lambda r: int(r.name))
    shares = importances(records, result.objective)
    image = _picture(records, result.objective, shares)
    if image is not None:
        (folder / "report.png").write_bytes(image)
    page = folder / "report.html"
    write_whole(page, page_of(result, shares, image))
    return page


def _picture(records, objective, shares):
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return None
    from tuning.pictures import figure

    stream = io.BytesIO()
    figure(records, objective, shares).savefig(stream, format="png", dpi=110)
    return stream.getvalue()


def page_of(result, shares, image=None):
    """The page as text.

    Args:
        result: `tuning.result.SearchResult`.
        shares: Dict of the parameters' importance.
        image: Bytes of a PNG, or `None`.
    """
    parts = [
        f"<h1>{_text(_title(result))}</h1>",
        f"<p>{_text(_summary(result))}</p>",
        _settings(result.values),
    ]
    if image is None:
        parts.append("<p>No pictures: pip install 'recurrent-zoo[report]'.</p>")
    else:
        data = base64.b64encode(image).decode()
        parts.append(f'<img alt="the search" src="data:image/png;base64,{data}">')
    if shares:
        parts += ["<h2>Importance of each parameter</h2>", _settings(shares)]
    parts += ["<h2>Trials</h2>", _table(result.trials, result.winner)]
    if len(result.reruns):
        parts += ["<h2>The best again, with fresh seeds</h2>", _table(result.reruns)]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">\n'
        f"<title>{_text(_title(result))}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _title(result):
    direction = "more" if result.objective.sign > 0 else "less"
    return (
        f"{len(result.trials)} trials for {result.objective.name} "
        f"({direction} is better)"
    )


def _summary(result):
    failed = sum(r.status == "failed" for r in result.trials.records)
    runs = [r for r in result.reruns.records if r.status == "done"]
    text = (
        f"Algorithm: {result.algorithm}. {failed} trials failed. "
        f"{result.seconds:.0f} seconds of training in all. Trial {result.winner} won "
        f"with {result.score:.4f} on the validation data"
    )
    if runs:
        return f"{text}, the mean over fresh seeds, which chose among the best trials."
    return f"{text}. It was picked for that score, which is therefore too good."


def _settings(values):
    rows = "".join(
        f"<tr><td>{_text(k)}</td><td>{_text(shown(v))}</td></tr>"
        for k, v in values.items()
    )
    return f"<table>{rows}</table>"


def _table(trials, winner=None):
    rows = trials.rows()
    if not rows:
        return ""
    head = "".join(f"<th>{_text(name)}</th>" for name in rows[0])
    lines = [f"<tr>{head}</tr>"]
    for row in rows:
        kind = "winner" if row["trial"] == winner else row["status"]
        cells = "".join(
            f"<td>{'' if value is None else _text(shown(value))}</td>"
            for value in row.values()
        )
        lines.append(f'<tr class="{kind}">{cells}</tr>')
    return f"<table>{''.join(lines)}</table>"


def _text(value):
    return html.escape(str(value))
