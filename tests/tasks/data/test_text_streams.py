"""Streams of chunks: each document is read whole and in order, in one row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data.text_streams import StreamBatches
from tasks.data.vocabulary import PADDING_ID


def read(batches):
    """The documents a model would see: lists of (input, target) for each."""
    done, reading = [], [None] * batches.rows
    for number in range(len(batches)):
        inputs, zeros = batches[number]
        assert zeros.shape == (batches.rows,)
        assert inputs["token_ids"].shape == (batches.rows, batches.chunk)
        for row in range(batches.rows):
            if inputs["fresh"][row]:
                done.append([])
                reading[row] = done[-1]
            mask = inputs["mask"][row]
            pairs = (inputs[name][row][mask] for name in ("token_ids", "targets"))
            pairs = list(zip(*pairs, strict=True))
            assert not pairs or reading[row] is not None
            if pairs:
                reading[row] += pairs
    return done


def pairs(document):
    return list(zip([PADDING_ID, *document[:-1]], document, strict=True))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=2, max_size=8),
    st.integers(1, 4),
    st.integers(1, 7),
    st.integers(0, 3),
)
def test_every_document_is_read_once_and_in_order(lengths, rows, chunk, epoch):
    documents, start = [], 2
    for length in lengths:
        documents.append(np.arange(start, start + length))
        start += length
    whole = [pairs(d.tolist()) for d in documents if len(d)]
    if len(whole) < 2:
        return
    for shuffle in (False, True):
        batches = StreamBatches(documents, rows, chunk, shuffle, epoch=epoch)
        assert sorted(read(batches)) == sorted(whole)
        assert batches.tokens == sum(map(len, whole))


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_single_text_is_cut_into_rows(shuffle):
    text = np.arange(2, 50)
    parts = read(StreamBatches([text], 4, 5, shuffle, seed=3))
    # Each is read as a document: from an empty state comes nothing but a beginning.
    assert sorted(parts) == [pairs(part.tolist()) for part in np.array_split(text, 4)]


def test_epochs_and_seeds_differ_and_repeat():
    documents = [np.arange(2, 40), np.arange(40, 60), np.arange(60, 75)]

    def ids(seed, epoch):
        batches = StreamBatches(documents, 2, 6, True, seed=seed, epoch=epoch)
        return np.stack([batches[n][0]["token_ids"] for n in range(len(batches))])

    np.testing.assert_array_equal(ids(1, 2), ids(1, 2))
    assert (ids(1, 2) != ids(1, 3)).any()
    assert (ids(1, 2) != ids(2, 2)).any()
    assert len({ids(0, epoch).shape for epoch in range(8)}) == 1


def test_chunks_end_elsewhere_in_each_epoch():
    starts = set()
    for epoch in range(10):
        batches = StreamBatches([np.arange(2, 90)], 1, 8, True, epoch=epoch)
        starts.add(int(batches[0][0]["mask"].sum()))
    assert len(starts) > 3


def test_short_documents_take_no_more_chunks_than_they_fill():
    lengths = np.random.default_rng(0).integers(1, 80, 200)
    documents = [np.arange(2, 2 + length) for length in lengths]
    least = -(-lengths // 16)
    starts = set()
    for shuffle in (False, True):
        for epoch in range(5):
            batches = StreamBatches(documents, 4, 16, shuffle, epoch=epoch)
            # All rows are full but for the last chunks of the longest.
            assert len(batches) <= -(-least.sum() // 4) + least.max()
            if shuffle:
                chunks = (batches[n][0] for n in range(len(batches)))
                starts |= {
                    int(mask.argmax()) for c in chunks for mask in c["mask"][c["fresh"]]
                }
    assert len(starts) > 5  # their chunks end elsewhere in each epoch, too


def test_resets_begin_afresh_and_change_no_target():
    text = np.arange(2, 2002)
    plain = StreamBatches([text], 4, 10, True, seed=1)
    reset = StreamBatches([text], 4, 10, True, seed=1, reset_rate=0.2)
    begun = 0
    for index in range(len(plain)):
        a, b = plain[index][0], reset[index][0]
        np.testing.assert_array_equal(a["targets"], b["targets"])
        np.testing.assert_array_equal(a["mask"], b["mask"])
        new = b["fresh"] & ~a["fresh"]
        begun += new.sum()
        assert (a["fresh"] <= b["fresh"]).all()
        assert (b["token_ids"][new, 0] == PADDING_ID).all()
        assert b["mask"][new].all(1).sum() >= new.sum() - 4  # rows end in a rest
        b["token_ids"][new, 0] = a["token_ids"][new, 0]
        np.testing.assert_array_equal(a["token_ids"], b["token_ids"])
    assert 0.1 < begun / (4 * len(plain)) < 0.3


def test_resets_are_elsewhere_in_each_epoch_and_for_each_seed():
    def resets(seed, epoch):
        options = {"seed": seed, "epoch": epoch, "reset_rate": 0.5}
        batches = StreamBatches([np.arange(2, 402)], 2, 10, **options)
        return [b[0]["fresh"].tolist() for b in batches]

    assert resets(0, 0) == resets(0, 0)
    assert resets(0, 0) != resets(0, 1)
    assert resets(0, 0) != resets(1, 0)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_out_of_range_is_named(rate):
    with pytest.raises(ValueError, match=f"`reset_rate`.*{rate}"):
        StreamBatches([[2, 3]], 1, 1, reset_rate=rate)


@pytest.mark.parametrize("documents", [[], [[]], [[], []]])
def test_nothing_to_read_is_refused(documents):
    with pytest.raises(ValueError, match="empty"):
        StreamBatches(documents, 2, 4)


@pytest.mark.parametrize("name", ["rows", "chunk"])
@pytest.mark.parametrize("value", [0, -1, 2.0, True])
def test_sizes_out_of_range_are_named(name, value):
    options = {"rows": 2, "chunk": 3, name: value}
    with pytest.raises(ValueError, match=f"`{name}`.*{value}"):
        StreamBatches([[2, 3]], **options)
