"""Scores of transcripts: the field's error rates."""

import numpy as np


def transcript_scores(found, references):
    """Word and character error rates of a corpus.

    Edits (insertions, deletions, substitutions) that turn what was said into what was
    found, as a part of all words or characters that were said. Texts are compared as
    they are, but for the number of spaces between words.

    Args:
        found: List of strings.
        references: List of as many strings.

    Returns:
        Dict of floats: `"wer"` and `"cer"`, 0 where all is right; more than 1 where
        much was added. If nothing was said they are 0 if nothing was found, else 1.

    Raises:
        ValueError: If there are none, or their numbers differ.
    """
    if not found or len(found) != len(references):
        raise ValueError(
            "Expected as many references as transcripts, and at least one. Received: "
            f"{len(references)} and {len(found)}"
        )
    words = [text.split() for text in found], [text.split() for text in references]
    characters = ([" ".join(own) for own in side] for side in words)
    return {"wer": _rate(*words), "cer": _rate(*characters)}


def _rate(found, references):
    edits = sum(map(edit_distance, found, references))
    said = sum(map(len, references))
    return edits / said if said else float(edits > 0)


def edit_distance(one, other):
    """Least number of insertions, deletions and substitutions between two sequences.

    Args:
        one, other: Strings, or lists of strings.

    Returns:
        An integer (Levenshtein, 1966).
    """
    names = {}
    numbers = [names.setdefault(item, len(names)) for item in other]
    numbers, places = np.array(numbers, int), np.arange(len(other) + 1)
    row = places
    for count, item in enumerate(one, 1):
        wrong = numbers != names.get(item, -1)
        best = np.minimum(row[1:] + 1, row[:-1] + wrong)
        # Each insertion costs one: the least of `best[j] + (i - j)` for all j up to i.
        best = np.concatenate([[count], best])
        row = np.minimum.accumulate(best - places) + places
    return int(row[-1])
