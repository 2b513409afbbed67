"""Tags of sequence labelling: BIO, IOB1 and IOBES (BILOU), and entity spans.

A tag is `"O"` or a prefix, a hyphen and a label: `"B-person"`. Entities are
spans `(start, end, label)` over token positions, `end` exclusive. What counts as
an entity follows `conlleval`, the script of the CoNLL-2000 and CoNLL-2003 shared
tasks: `B-x` starts one, and so does `I-x` after `O` or after another label.
"""

# BILOU names the last token "L" and the only token "U"; otherwise it is IOBES.
_PREFIXES = {"B": "B", "I": "I", "E": "E", "L": "E", "S": "S", "U": "S"}


def split_tag(tag):
    """Splits a tag into its prefix and label.

    Args:
        tag: string, such as `"O"`, `"B-person"` or `"S-person"`.

    Returns:
        `(prefix, label)`; `("O", None)` outside an entity, else the prefix is one
        of B, I, E, S (L and U of BILOU become E and S).

    Raises:
        ValueError: if `tag` is not of that form.
    """
    if tag == "O":
        return "O", None
    if isinstance(tag, str) and len(tag) > 2 and tag[1] == "-":
        prefix = _PREFIXES.get(tag[0])
        if prefix is not None:
            return prefix, tag[2:]
    raise ValueError(
        f"{tag!r} is not a tag: expected 'O', or 'B-', 'I-' (or 'E-', 'S-', 'L-', "
        "'U-') and a label, such as 'B-person'."
    )


def detect_scheme(sentences):
    """Names the scheme in which a corpus is tagged.

    Args:
        sentences: list of lists of tags.

    Returns:
        `"IOBES"` if an end or a single-token tag occurs; `"IOB1"` if most
        entities start with `I-` and `B-` parts neighbours with one label; `"BIO"`
        otherwise.

    Raises:
        ValueError: if an entry is not a tag.
    """
    # By majority: the CoNLL-2003 files themselves break the rule of IOB1 in places.
    starts = {"B": 0, "I": 0}
    for tags in sentences:
        before = None
        for tag in tags:
            prefix, label = split_tag(tag)
            if prefix in "ES":
                return "IOBES"
            if label is not None and label != before:
                starts[prefix] += 1
            before = label
    return "IOB1" if starts["I"] > starts["B"] else "BIO"


def to_bio(tags, scheme=None):
    """Writes the tags of one sentence in BIO.

    Args:
        tags: list of tags in any of the schemes.
        scheme: `"BIO"`, `"IOB1"`, `"IOBES"`, or None to see from the tags. BIO
            and IOB1 read alike, so this only refuses what does not belong.

    Returns:
        List of tags of the same length, where every entity starts with `B-`.

    Raises:
        ValueError: for an unknown scheme, an entry that is not a tag, or an end
            or single-token tag where `scheme` has none.
    """
    if scheme not in (None, "BIO", "IOB1", "IOBES"):
        raise ValueError(
            f"Unknown scheme {scheme!r}: expected 'BIO', 'IOB1', 'IOBES' or None."
        )
    result = []
    open_label = None  # label of the entity that the next token may continue
    for tag in tags:
        prefix, label = split_tag(tag)
        if prefix == "O":
            result.append("O")
        else:
            if prefix in "ES" and scheme in ("BIO", "IOB1"):
                raise ValueError(f"{tag!r} is an IOBES tag, but scheme is {scheme!r}.")
            starts = prefix in "BS" or label != open_label
            result.append(f"{'B' if starts else 'I'}-{label}")
        open_label = None if prefix in "ES" else label
    return result


def spans(tags):
    """Finds the entities of a sentence tagged in BIO or IOB1.

    Args:
        tags: list of tags; an `I-` that continues nothing starts an entity.

    Returns:
        List of `(start, end, label)` in order, `end` exclusive.

    Raises:
        ValueError: if an entry is not a BIO tag.
    """
    found = []
    start, current = 0, None
    for position, tag in enumerate(tags):
        prefix, label = split_tag(tag)
        if prefix in "ES":
            raise ValueError(f"{tag!r} is not a BIO tag: convert with `to_bio` first.")
        if label == current and prefix != "B":
            continue
        if current is not None:
            found.append((start, position, current))
        start, current = position, label
    if current is not None:
        found.append((start, len(tags), current))
    return found


def bio(spans, length):
    """Writes entities as BIO tags, the inverse of `spans`.

    Args:
        spans: iterable of `(start, end, label)`, `end` exclusive, in any order.
        length: number of tokens.

    Returns:
        List of `length` tags.

    Raises:
        ValueError: if a span is empty, leaves the sentence or meets another.
    """
    tags = ["O"] * length
    for start, end, label in spans:
        if not 0 <= start < end <= length:
            raise ValueError(
                f"Entity ({start}, {end}, {label!r}) does not fit in {length} tokens: "
                "expected 0 <= start < end <= length."
            )
        if any(tag != "O" for tag in tags[start:end]):
            raise ValueError(f"Entity ({start}, {end}, {label!r}) overlaps another.")
        tags[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
    return tags


def tag_names(labels):
    """Lists the BIO tags for some labels: `["O", "B-x", "I-x", ...]`.

    Args:
        labels: iterable of distinct, non-empty strings.

    Returns:
        List of `1 + 2 * len(labels)` tags, in the order of the labels.

    Raises:
        ValueError: if a label is empty, not a string or there twice.
    """
    labels = list(labels)
    for label in labels:
        if not isinstance(label, str) or not label:
            raise ValueError(f"{label!r} is not a label: expected a non-empty string.")
    if len(set(labels)) != len(labels):
        raise ValueError(f"Labels must be distinct, got {labels}.")
    return ["O"] + [f"{prefix}-{label}" for label in labels for prefix in "BI"]
