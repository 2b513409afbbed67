"""Entity scores: exact spans as `conlleval` counts them, and surface forms.

`entity_scores` equals `nervaluate`'s strict measure and `seqeval`'s default.
"""

from collections import Counter

from tasks.data import tags as tag_tools


def _f1(correct, predicted, gold):
    precision = correct / predicted if predicted else 0.0
    recall = correct / gold if gold else 0.0
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0


def _check(gold, predicted, names=("gold", "predicted")):
    if len(gold) != len(predicted):
        raise ValueError(
            f"{names[0]} has {len(gold)} sentences, {names[1]} {len(predicted)}: "
            "expected as many."
        )
    for index, (one, other) in enumerate(zip(gold, predicted, strict=True)):
        if len(one) != len(other):
            raise ValueError(
                f"Sentence {index}: {len(one)} {names[0]}, {len(other)} {names[1]}: "
                "expected as many."
            )


def entity_scores(gold, predicted):
    """Scores predicted entities: right are those with the same span and label.

    Args:
        gold: list of sentences, each a list of BIO (or IOB1) tags.
        predicted: the same for the predictions, of the same lengths.

    Returns:
        Dict of floats: `"precision"`, `"recall"` and `"f1"` over all entities, and
        `"f1_<label>"` for every label of either side. 0.0 where nothing is found.

    Raises:
        ValueError: if lengths differ or an entry is not a tag.

    Reference:
        [Tjong Kim Sang and De Meulder, 2003](https://aclanthology.org/W03-0419/)
    """
    _check(gold, predicted)
    counts = {"correct": Counter(), "predicted": Counter(), "gold": Counter()}
    for gold_tags, predicted_tags in zip(gold, predicted, strict=True):
        gold_spans = set(tag_tools.spans(gold_tags))
        predicted_spans = set(tag_tools.spans(predicted_tags))
        counts["gold"].update(span[2] for span in gold_spans)
        counts["predicted"].update(span[2] for span in predicted_spans)
        counts["correct"].update(span[2] for span in gold_spans & predicted_spans)
    totals = [counts[part].total() for part in ("correct", "predicted", "gold")]
    precision, recall, f1 = _f1(*totals)
    scores = {"f1": f1, "precision": precision, "recall": recall}
    for label in sorted(counts["gold"] | counts["predicted"]):
        parts = [counts[part][label] for part in ("correct", "predicted", "gold")]
        scores[f"f1_{label}"] = _f1(*parts)[2]
    return scores


def surface_f1(gold, predicted, tokens):
    """Scores the distinct surface forms: a name counts once, however often it comes.

    Compares sets of `(words of the entity, label)` over the whole corpus. A form is
    right if it was found in its place at least once, the measure of the WNUT-17 shared
    task: it gives the published figures of all seven systems that took part.

    Args:
        gold: list of sentences, each a list of BIO (or IOB1) tags.
        predicted: the same for the predictions.
        tokens: list of sentences, each a list of strings.

    Returns:
        F1 as a float, 0.0 where nothing is right.

    Raises:
        ValueError: if lengths differ or an entry is not a tag.

    Reference:
        [Derczynski et al., 2017](https://aclanthology.org/W17-4418/)
    """
    _check(gold, predicted)
    _check(gold, tokens, ("gold", "tokens"))
    forms = {"correct": set(), "predicted": set(), "gold": set()}
    for gold_tags, predicted_tags, words in zip(gold, predicted, tokens, strict=True):
        gold_spans = set(tag_tools.spans(gold_tags))
        predicted_spans = set(tag_tools.spans(predicted_tags))
        forms["gold"] |= _surface_forms(gold_spans, words)
        forms["predicted"] |= _surface_forms(predicted_spans, words)
        forms["correct"] |= _surface_forms(gold_spans & predicted_spans, words)
    return _f1(*(len(forms[part]) for part in ("correct", "predicted", "gold")))[2]


def _surface_forms(spans, words):
    return {(" ".join(words[start:end]), label) for start, end, label in spans}
