"""Vectors of words: reading and compressing them."""

import hashlib
import io
import json
import tarfile

import numpy as np
import pytest

from tasks.data import vectors
from tasks.data.vectors import compress, glove_file, read_vectors


def package(folder):
    """A file like that of npm."""
    content = {
        "dimensions": 2,
        "words": ["the", "cat"],
        "vectors": {"cat": [3.0, 4.0, 5.0, 1], "the": [1.0, 2.0, 2.2, 0]},
    }
    path = folder / "vectors.tgz"
    data = json.dumps(content).encode()
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("package/vectors-100d.json")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return path


class TestReading:
    def test_a_package(self, tmp_path):
        words, table = read_vectors(package(tmp_path))
        assert words == ["the", "cat"]
        np.testing.assert_array_equal(table, [[1, 2], [3, 4]])
        assert table.dtype == "float32"

    def test_text(self, tmp_path):
        path = tmp_path / "glove.txt"
        path.write_text("the 1.0 2.0\ncat 3.0 4.0\n", "utf-8")
        words, table = read_vectors(path, limit=1)
        assert words == ["the"]
        np.testing.assert_array_equal(table, [[1, 2]])

    def test_vectors_of_two_lengths(self, tmp_path):
        path = tmp_path / "glove.txt"
        path.write_text("the 1.0 2.0\ncat 3.0\n", "utf-8")
        with pytest.raises(ValueError, match="'cat' has 1 numbers, 'the' has 2"):
            read_vectors(path)


class TestFile:
    def test_one_that_is_given(self, tmp_path):
        path = package(tmp_path)
        assert glove_file(path) == path

    def test_one_that_is_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no such file of word vectors"):
            glove_file(tmp_path / "missing.tgz")

    def test_a_download_is_checked_and_kept(self, tmp_path, monkeypatch):
        calls = []

        def fetch(url, target, sha256, largest):
            calls.append((url, sha256, largest))
            target.write_bytes(b"vectors")

        monkeypatch.setenv("ZOO_HOME", str(tmp_path))
        monkeypatch.setattr(vectors, "fetch_file", fetch)
        first, again = glove_file(), glove_file()
        assert first == again and first.read_bytes() == b"vectors"
        assert calls == [(vectors.GLOVE_URL, vectors.GLOVE_SHA256, vectors.GLOVE_BYTES)]
        assert len(vectors.GLOVE_SHA256) == len(hashlib.sha256().hexdigest())


def restored(codes, centroids):
    groups = codes.shape[1]
    tables = centroids.reshape(groups, vectors.CODES, -1)
    return np.concatenate([tables[g][codes[:, g]] for g in range(groups)], 1)


class TestCompress:
    def test_few_vectors_are_kept(self):
        table = np.random.default_rng(0).normal(size=(50, 6)).astype("float32")
        codes, centroids = compress(table, 2)
        assert codes.dtype == "uint8" and codes.shape == (50, 2)
        np.testing.assert_allclose(restored(codes, centroids), table, atol=1e-6)

    def test_code_zero_stands_for_zeros(self):
        table = np.ones((3, 4), "float32")
        codes, centroids = compress(table, 2)
        assert codes.min() > 0
        np.testing.assert_array_equal(restored(np.zeros((1, 2), int), centroids), 0)

    def test_many_vectors_come_close(self):
        table = np.random.default_rng(0).normal(size=(5000, 8)).astype("float32")
        for groups, most in ((2, 0.2), (4, 0.02)):
            codes, centroids = compress(table, groups)
            error = np.mean((restored(codes, centroids) - table) ** 2)
            assert error < most

    def test_the_seed_decides(self):
        table = np.random.default_rng(0).normal(size=(2000, 4)).astype("float32")
        one, two, other = (compress(table, 2, seed=s)[0] for s in (1, 1, 2))
        np.testing.assert_array_equal(one, two)
        assert (one != other).any()

    def test_groups_must_divide(self):
        with pytest.raises(ValueError, match="3 groups do not divide 4 dimensions"):
            compress(np.ones((2, 4), "float32"), 3)
