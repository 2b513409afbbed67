"""Scores of translations, by the field's own packages."""

from zoo.lazy import Lazy

sacrebleu = Lazy("sacrebleu", "pip install sacrebleu")


def translation_scores(found, references, lowercase=False):
    """BLEU and chrF of a corpus, from 0 to 100.

    Args:
        found: List of strings.
        references: List of strings, or of lists of as many of them for each.
        lowercase: Whether to compare without regard to capitals.

    Returns:
        Dict of floats: `"bleu"` (sacreBLEU, tokenizer 13a) and `"chrf"` (chrF2).

    Raises:
        ValueError: If there are none, or their numbers differ.
    """
    if not found or len(found) != len(references):
        raise ValueError(
            "Expected as many references as translations, and at least one. Received: "
            f"{len(found)} and {len(references)}"
        )
    streams = _streams(references)
    bleu = sacrebleu.metrics.BLEU(lowercase=lowercase)
    chrf = sacrebleu.metrics.CHRF(lowercase=lowercase)
    return {
        "bleu": float(bleu.corpus_score(found, streams).score),
        "chrf": float(chrf.corpus_score(found, streams).score),
    }


def signatures(lowercase=False, references=1):
    """What sacreBLEU calls these scores: dict from name to signature."""
    made = {
        "bleu": sacrebleu.metrics.BLEU(lowercase=lowercase),
        "chrf": sacrebleu.metrics.CHRF(lowercase=lowercase),
    }
    for metric in made.values():
        metric.corpus_score(["a"], [["a"]] * references)
    return {name: str(metric.get_signature()) for name, metric in made.items()}


def _streams(references):
    if isinstance(references[0], str):
        return [list(references)]
    counts = {len(each) for each in references}
    if len(counts) != 1:
        raise ValueError(
            "Every translation must have as many references. Received: "
            f"{sorted(counts)}"
        )
    return [list(stream) for stream in zip(*references, strict=True)]
