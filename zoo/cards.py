"""Model cards: a README whose front matter is one `key: JSON value` per line.

Such lines are valid YAML too, so model hubs read them, and no YAML reader is needed.
"""

import json
import re

from zoo.errors import PresetError, shown
from zoo.plain_json import check_plain, parse_json

_KEY = re.compile(r"[a-z][a-z0-9_]*")
_FENCE = "---"


class Card(str):
    """The text of a model card; prints as it is.

    Attributes:
        data: dict, the front matter (empty when the text has none).
        body: str, the text after it.

    Raises:
        PresetError: When the front matter is not `key: JSON value` lines.
    """

    def __new__(cls, text):
        card = super().__new__(cls, text)
        card.data, card.body = _split(text)
        return card

    @classmethod
    def build(cls, data, body):
        """Makes a card from a dict of plain JSON values and Markdown text.

        Raises:
            PresetError: For keys that are no words and values that are not plain.
        """
        check_plain(data, "the card")
        lines = [_FENCE]
        for key, value in data.items():
            if not _KEY.fullmatch(key):
                raise PresetError(f"{shown(key)} cannot be a card's key.")
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
            lines.append(f"{key}: {text}")
        return cls("\n".join([*lines, _FENCE, "", body.strip(), ""]))


def _split(text):
    lines = text.split("\n")
    if lines[0].rstrip() != _FENCE:
        return {}, text
    fences = [number for number, line in enumerate(lines) if line.rstrip() == _FENCE]
    if len(fences) < 2:
        raise PresetError("the card's front matter has no closing `---` line.")
    data, end = {}, fences[1]
    for number, line in enumerate(lines[1:end], 2):
        key, colon, value = line.partition(":")
        if not colon or not _KEY.fullmatch(key) or key in data:
            raise PresetError(
                f"line {number} of the card is {shown(line)}; expected a new "
                "`key: JSON value`."
            )
        where = f"`{key}` in line {number} of the card"
        data[key] = parse_json(value.strip().encode("utf-8", "replace"), where)
    return data, "\n".join(lines[end + 1 :]).lstrip("\n")
