"""The one error type of searches, and hints for names that are nearly right."""

import difflib


class SearchError(ValueError):
    """A search that cannot be begun, or has found nothing.

    The message is one line: what came, and what would work.
    """


def nearest(name, known):
    """A hint for the message about an unknown name, or an empty text."""
    near = difflib.get_close_matches(str(name), list(known), n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
