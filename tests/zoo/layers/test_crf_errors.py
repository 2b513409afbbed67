"""What the CRF refuses, and how it says so."""

import keras
import numpy as np
import pytest

from zoo.layers import CRF

BATCH, TIME, TAGS = 5, 6, 5


def data():
    logits = np.zeros((BATCH, TIME, TAGS), "float32")
    mask = np.ones((BATCH, TIME), "bool")
    mask[2, :2] = False
    return logits, np.zeros((BATCH, TIME), "int32"), mask


def made(**options):
    crf = CRF(TAGS, **options)
    crf.build((None, None, TAGS))
    return crf


class TestErrors:
    @pytest.mark.parametrize("num_tags", [0, -1, 2.0, True, "3", None])
    def test_number_of_tags(self, num_tags):
        with pytest.raises(ValueError, match="'tagger' must be a positive integer"):
            CRF(num_tags, name="tagger")

    def test_constrained_likelihood_without_names(self):
        with pytest.raises(ValueError, match="needs `tag_names`"):
            CRF(TAGS, constrain_likelihood=True)

    @pytest.mark.parametrize(
        "shape", [(2, 3, 4), (2, 5), (2, 3, 4, 5), (2, 0, 5), (0, 3, 5)]
    )
    @pytest.mark.parametrize("built", [True, False])
    def test_logits(self, shape, built):
        crf = made(name="tagger") if built else CRF(TAGS, name="tagger")
        with pytest.raises(ValueError, match=r"'tagger' needs logits of shape \(batch"):
            crf(np.zeros(shape, "float32"))
        with pytest.raises(ValueError, match="at least one row and step"):
            crf.decode(np.zeros(shape, "float32"))

    @pytest.mark.parametrize("shape", [(5, 7), (4, 6), (6,), (5, 6, 5)])
    def test_masks_and_tags(self, shape):
        crf, (logits, _, _) = made(name="tagger"), data()
        with pytest.raises(ValueError, match="'tagger' needs `mask` of shape"):
            crf(logits, mask=np.ones(shape, "bool"))
        with pytest.raises(ValueError, match="'tagger' needs `tags` of shape"):
            crf(logits, tags=np.zeros(shape, "int32"))

    @pytest.mark.parametrize("dtype", ["float32", "bool"])
    def test_tags_that_are_no_integers(self, dtype):
        with pytest.raises(ValueError, match="needs integer tags"):
            made()(data()[0], tags=np.zeros((BATCH, TIME), dtype))

    def test_symbolic_shapes_and_dtypes(self):
        logits = keras.Input((None, TAGS))
        with pytest.raises(ValueError, match="needs integer tags"):
            made()(logits, tags=keras.Input((None,)))
        with pytest.raises(ValueError, match="needs logits"):
            made()(keras.Input((None, TAGS + 1)))

    @pytest.mark.parametrize("tag", [-1, TAGS])
    def test_tags_out_of_range(self, tag):
        crf, (logits, tags, mask) = made(), data()
        tags[2, 3] = tag
        with pytest.raises(ValueError, match=r"must lie in \[0, 5\)"):
            crf(logits, tags=tags, mask=mask)

    def test_a_likelihood_has_no_marginals(self):
        logits, tags, _ = data()
        with pytest.raises(ValueError, match="Call it once for each"):
            made()(logits, tags=tags, marginals=True)
