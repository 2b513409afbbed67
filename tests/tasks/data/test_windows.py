"""Windows of series: what they hold, and in which order they come."""

import numpy as np
import pytest

from tasks.data.windows import Windows, origins_of


def series(length, channels=1, first=0.0):
    steps = first + np.arange(length, dtype=float)
    return np.stack([steps + 1000 * c for c in range(channels)], -1)


def make(values, context=4, horizon=2, batch_size=3, **options):
    return Windows(values, context, horizon, batch_size, **options)


def read(windows):
    """All rows of one epoch: dict of arrays."""
    batches = [windows[i][0] for i in range(len(windows))]
    return {k: np.concatenate([b[k] for b in batches]) for k in batches[0]}


@pytest.mark.parametrize(
    "length, wanted",
    [(1, []), (2, [1]), (3, [1]), (5, [3]), (6, [4]), (8, [4, 5, 6])],
)
def test_origins_leave_room_for_context_and_horizon(length, wanted):
    assert origins_of(length, 4, 2).tolist() == wanted


def test_a_window_is_what_came_before_and_after():
    rows = make([series(8)]).rows([0, 2])
    np.testing.assert_array_equal(rows["values"], [[0, 1, 2, 3], [2, 3, 4, 5]])
    np.testing.assert_array_equal(rows["target"], [[4, 5], [6, 7]])
    assert rows["mask"].all() and rows["target_mask"].all()


def test_there_is_a_window_for_each_place_and_channel():
    windows = make([series(8, 2), series(7, 2, 50)])
    assert windows.total == (3 + 2) * 2
    first = windows.rows(np.arange(windows.total))["values"][:, 0]
    wanted = [0, 1000, 1, 1001, 2, 1002, 50, 1050, 51, 1051]
    np.testing.assert_array_equal(first, wanted)


def test_short_series_are_filled_with_missing_steps():
    rows = make([series(2, first=7)]).rows([0])
    np.testing.assert_array_equal(rows["mask"], [[False, False, False, True]])
    np.testing.assert_array_equal(rows["target_mask"], [[True, False]])
    assert rows["values"][0, 3] == 7 and rows["target"][0, 0] == 8


def test_missing_values_are_masked_and_never_seen():
    values = series(8)
    values[[1, 5]] = np.nan
    rows = make([values]).rows([0])
    np.testing.assert_array_equal(rows["mask"], [[True, False, True, True]])
    np.testing.assert_array_equal(rows["target_mask"], [[True, False]])
    assert all(np.isfinite(array).all() for array in rows.values())


def test_no_window_reads_another_series():
    windows = make([series(3, first=1), series(3, first=100), series(3, first=200)])
    rows = windows.rows(np.arange(windows.total))
    seen = np.where(rows["mask"], rows["values"], np.nan)
    for i, first in enumerate((1, 100, 200)):
        own = seen[i][~np.isnan(seen[i])]
        assert set(own) <= {first, first + 1.0, first + 2.0}


def test_covariates_are_those_of_the_window():
    windows = make(
        [series(8), series(6, first=50)],
        static=np.array([[1.0], [2.0]]),
        past=[series(8, 2, 10), series(6, 2, 60)],
        future=[series(10, 1, 20), series(8, 1, 70)],
    )
    rows = windows.rows([1, 3])
    np.testing.assert_array_equal(rows["static"], [[1], [2]])
    np.testing.assert_array_equal(rows["past"][0, :, 1], [1011, 1012, 1013, 1014])
    np.testing.assert_array_equal(rows["future"][0, :, 0], [21, 22, 23, 24, 25, 26])
    np.testing.assert_array_equal(rows["future"][1, :, 0], 70 + np.arange(6))


def test_channels_are_named_on_request():
    rows = make([series(8, 3)], with_channel=True).rows(np.arange(4))
    assert rows["channel"].tolist() == [0, 1, 2, 0]


def test_an_epoch_reads_every_window():
    windows = make([series(12)], batch_size=3, shuffle=True)
    first = read(windows)["values"][:, 0]
    assert len(windows) * 3 == len(first) == 9
    assert set(first) == set(range(7))


def test_all_batches_are_full():
    windows = make([series(12)], batch_size=4, shuffle=True)
    assert {len(windows[i][1]) for i in range(len(windows))} == {4}


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        windows = make([series(40)], shuffle=True, seed=seed)
        windows.epoch = epoch
        return read(windows)["values"][:, 0].tolist()

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_an_epoch_may_read_some_windows_alone():
    windows = make([series(100)], shuffle=True, windows_per_epoch=6)
    first = read(windows)["values"][:, 0].tolist()
    windows.epoch = 1
    assert len(set(first)) == 6
    assert read(windows)["values"][:, 0].tolist() != first


def test_nothing_to_cut_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        make([series(1)])


def test_the_dataset_holds_the_same_rows():
    windows = make([series(12, 2)], shuffle=True, with_channel=True)
    wanted = [windows[i][0] for i in range(len(windows))]
    found = list(windows.as_dataset())
    assert len(found) == len(wanted)
    for (inputs, _), batch in zip(found, wanted, strict=True):
        for name, array in batch.items():
            np.testing.assert_array_equal(np.asarray(inputs[name]), array)
