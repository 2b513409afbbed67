"""The list of trained models, from their cards: for a terminal and for the README."""

import zoo

_HEADINGS = (
    "Model",
    "Trained on",
    "Test score",
    "Baseline",
    "Parameters",
    "Size",
    "Licence",
)


def card_data(pattern="*", task=None):
    """Returns the front matter of the cards of all matching models, a list of dict."""
    return [zoo.card(name).data for name in zoo.list_models(pattern, task)]


def plain_table(cards):
    """Returns a table for the terminal: a string, one model a line."""
    rows = [_HEADINGS, *map(_row, cards)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown_table(cards):
    """Returns the same table for a README: a string of Markdown."""
    rows = [_HEADINGS, ["---"] * len(_HEADINGS)]
    for card in cards:
        name, *cells = _row(card)
        rows.append((f"`{name}`", *(cell.replace("|", "\\|") for cell in cells)))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(card):
    metrics = card.get("metrics") or {}
    metric = next(iter(metrics), None)  # a card names its most important one first
    return (
        card["name"],
        ", ".join(card.get("data") or []),
        f"{metric} {score_text(metrics[metric])}" if metric else "",
        score_text((card.get("baseline") or {}).get(metric)),
        f"{card['parameters'] / 1e6:.1f} M" if "parameters" in card else "",
        f"{card['size_bytes'] / 1e6:.1f} MB" if "size_bytes" in card else "",
        card.get("licence", ""),
    )


def score_text(score):
    """Writes a metric of a card: its mean, and its spread over seeds where known.

    Args:
        score: float, or dict with `mean` and perhaps `std` and `seeds`, or None.

    Returns:
        A string such as `"0.430 ± 0.004 (3 seeds)"`.
    """
    if score is None:
        return ""
    if not isinstance(score, dict):
        return f"{score:.3f}"
    text = f"{score['mean']:.3f}"
    if len(score.get("seeds") or []) > 1:
        text += f" ± {score['std']:.3f} ({len(score['seeds'])} seeds)"
    return text
