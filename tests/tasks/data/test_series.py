"""Series from arrays, frames and files, and what is wrong with some of them."""

import numpy as np
import pytest

from tasks.data.series import SeriesSet

DAYS = np.arange("2024-01-01", "2024-01-06", dtype="datetime64[D]").astype(str)


def write(path, header, rows):
    lines = [",".join(map(str, row)) for row in [header, *rows]]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def long_rows():
    return [("a", d, i) for i, d in enumerate(DAYS)] + [
        ("b", DAYS[1], 7),
        ("b", DAYS[2], 8),
    ]


@pytest.fixture
def long_file(tmp_path):
    return write(tmp_path / "long.csv", ("unique_id", "ds", "y"), long_rows())


def same(got, wanted):
    assert got.ids == wanted.ids
    assert got.frequency == wanted.frequency and got.names == wanted.names
    for i in range(len(wanted)):
        np.testing.assert_array_equal(got.values[i], wanted.values[i])
        assert got.starts[i] == wanted.starts[i]


class TestArrays:
    def test_one_array_is_one_series(self):
        series = SeriesSet.from_any(np.arange(4.0))
        assert series.lengths == [4] and series.channels == 1 and series.ids == ["0"]
        assert series.values[0].shape == (4, 1)

    def test_columns_are_channels(self):
        assert SeriesSet.from_any(np.zeros((4, 3))).channels == 3

    def test_numbers_in_a_list_are_one_series(self):
        assert SeriesSet.from_any([1, 2.5, 3]).lengths == [3]

    def test_lists_in_a_list_are_series(self):
        series = SeriesSet.from_any([[1, 2, 3], [4.0]])
        assert series.lengths == [3, 1] and series.ids == ["0", "1"]

    def test_a_third_axis_is_that_of_series(self):
        assert len(SeriesSet.from_any(np.zeros((5, 4, 2)))) == 5

    def test_keys_are_ids(self):
        assert SeriesSet.from_any({"x": [1, 2], "y": [3]}).ids == ["x", "y"]

    def test_nothing_is_no_series(self):
        assert len(SeriesSet.from_any([])) == 0

    def test_a_series_set_stays(self):
        series = SeriesSet.from_any([1, 2])
        assert SeriesSet.from_any(series) is series

    def test_missing_values_stay_missing(self):
        assert np.isnan(SeriesSet.from_any([1, np.nan, 3]).values[0][1, 0])

    def test_none_is_a_missing_value(self):
        assert np.isnan(SeriesSet.from_any([1, None, 3]).values[0][1, 0])

    def test_what_an_array_masks_is_missing(self):
        masked = np.ma.masked_array([1, 2, 3], [False, True, False])
        found = SeriesSet.from_any(masked).values[0][:, 0]
        np.testing.assert_array_equal(found, [1, np.nan, 3])

    def test_complex_values_are_refused(self):
        with pytest.raises(ValueError, match="must hold numbers"):
            SeriesSet.from_any(np.array([1j, 2j]))

    @pytest.mark.parametrize("value", [np.inf, -np.inf])
    def test_infinite_values_are_named(self, value):
        with pytest.raises(ValueError, match="'1' has an infinite value at step 2"):
            SeriesSet.from_any([[1, 2, 3], [1, 2, value]])

    @pytest.mark.parametrize("data", [None, 3, object()])
    def test_other_things_are_refused(self, data):
        with pytest.raises(TypeError, match="data frame"):
            SeriesSet.from_any(data)

    def test_texts_in_a_list_are_refused(self):
        with pytest.raises(TypeError, match="arrays or lists"):
            SeriesSet.from_any(["a", "b"])

    def test_texts_as_values_are_refused(self):
        with pytest.raises(ValueError, match="must hold numbers"):
            SeriesSet.from_any([["a", "b"]])

    def test_different_channels_are_refused(self):
        with pytest.raises(ValueError, match="same channels"):
            SeriesSet.from_any([np.zeros((3, 1)), np.zeros((3, 2))])

    def test_covariates_must_be_as_long_as_values(self):
        with pytest.raises(ValueError, match="past covariates have 2"):
            SeriesSet.from_any([1.0, 2, 3], past_covariates=np.zeros(2))

    @pytest.mark.parametrize("static", [np.zeros(4), np.zeros((1, 2)), 1.0])
    def test_static_features_have_a_row_for_each_series(self, static):
        with pytest.raises(ValueError, match=r"shape \(2, n\)"):
            SeriesSet.from_any([[1.0, 2], [3.0, 4]], static=static)

    def test_future_covariates_may_be_longer(self):
        series = SeriesSet.from_any([1.0, 2, 3], future_covariates=np.zeros(5))
        assert series.future[0].shape == (5, 1)

    def test_a_frequency_needs_times(self):
        with pytest.raises(ValueError, match="needs times"):
            SeriesSet.from_any([1.0, 2], frequency="h")


class TestFiles:
    def test_a_long_file_has_a_series_for_each_id(self, long_file):
        series = SeriesSet.from_any(long_file)
        assert series.ids == ["a", "b"] and series.lengths == [5, 2]
        assert series.frequency == "D"
        assert series.starts[1] == np.datetime64("2024-01-02")

    def test_a_path_may_be_a_text(self, long_file):
        same(SeriesSet.from_any(str(long_file)), SeriesSet.from_any(long_file))

    def test_the_order_of_rows_does_not_matter(self, long_file, tmp_path):
        other = [r for r in long_rows()[::-1] if r[0] == "a"]
        other += [r for r in long_rows()[::-1] if r[0] == "b"]
        shuffled = write(tmp_path / "other.csv", ("unique_id", "ds", "y"), other)
        same(SeriesSet.from_any(shuffled), SeriesSet.from_any(long_file))

    def test_a_wide_file_has_channels(self, tmp_path):
        rows = [(d, i, 10 * i) for i, d in enumerate(DAYS)]
        path = write(tmp_path / "wide.csv", ("date", "HUFL", "OT"), rows)
        series = SeriesSet.from_any(path)
        assert series.names == ["HUFL", "OT"] and series.lengths == [5]
        np.testing.assert_array_equal(series.values[0][:, 1], 10.0 * np.arange(5))

    def test_times_that_are_left_out_become_missing_steps(self, tmp_path):
        rows = [(DAYS[0], 1), (DAYS[1], 2), (DAYS[4], 5)]
        path = write(tmp_path / "gap.csv", ("ds", "y"), rows)
        values = SeriesSet.from_any(path).values[0][:, 0]
        np.testing.assert_array_equal(values, [1, 2, np.nan, np.nan, 5])

    def test_empty_cells_are_missing(self, tmp_path):
        rows = [(DAYS[0], 1), (DAYS[1], ""), (DAYS[2], 3)]
        path = write(tmp_path / "empty.csv", ("ds", "y"), rows)
        assert np.isnan(SeriesSet.from_any(path).values[0][1, 0])

    def test_a_time_that_comes_twice_is_named(self, tmp_path):
        rows = [*long_rows(), ("a", DAYS[3], 9)]
        path = write(tmp_path / "twice.csv", ("unique_id", "ds", "y"), rows)
        with pytest.raises(ValueError, match="'a' has the time 2024-01-04.* twice"):
            SeriesSet.from_any(path)

    def test_numbers_are_counted_steps(self, tmp_path):
        path = write(tmp_path / "n.csv", ("ds", "y"), [(3, 1), (4, 2), (6, 3)])
        series = SeriesSet.from_any(path)
        assert series.frequency is None and series.starts == [3]
        assert series.lengths == [4]

    def test_steps_far_apart_are_refused(self, tmp_path):
        path = write(tmp_path / "n.csv", ("ds", "y"), [(1, 1), (10**9, 2)])
        with pytest.raises(ValueError, match="not steps of one frequency"):
            SeriesSet.from_any(path)

    def test_numbers_that_skip_steps_alike_are_refused(self, tmp_path):
        path = write(tmp_path / "n.csv", ("ds", "y"), [(0, 1), (5, 2), (15, 3)])
        with pytest.raises(ValueError, match="'ds' are 5 apart"):
            SeriesSet.from_any(path)

    def test_one_time_alone_needs_a_frequency(self, tmp_path):
        path = write(tmp_path / "one.csv", ("ds", "y"), [(DAYS[0], 1)])
        with pytest.raises(ValueError, match="give `frequency`"):
            SeriesSet.from_any(path)
        assert SeriesSet.from_any(path, fallback="h").frequency == "h"

    def test_times_tell_more_than_a_fallback(self, long_file):
        assert SeriesSet.from_any(long_file, fallback="h").frequency == "D"

    def test_columns_may_have_other_names(self, tmp_path):
        rows = [("x", d, i) for i, d in enumerate(DAYS)]
        path = write(tmp_path / "names.csv", ("shop", "when", "sold"), rows)
        series = SeriesSet.from_any(path, target="sold", id="shop", time="when")
        assert series.ids == ["x"] and series.names == ["sold"]

    def test_columns_that_are_not_there_are_named(self, long_file):
        with pytest.raises(ValueError, match="sold.*unique_id, ds, y"):
            SeriesSet.from_any(long_file, target="sold")

    def test_texts_as_values_are_refused(self, tmp_path):
        path = write(tmp_path / "x.csv", ("ds", "y"), [(DAYS[0], "many")])
        with pytest.raises(ValueError, match="'y' must hold numbers"):
            SeriesSet.from_any(path)

    def test_times_that_are_none_are_refused(self, tmp_path):
        path = write(tmp_path / "x.csv", ("ds", "y"), [("soon", 1), ("later", 2)])
        with pytest.raises(ValueError, match="'ds' must hold dates"):
            SeriesSet.from_any(path)

    def test_rows_of_another_length_are_named(self, tmp_path):
        path = tmp_path / "x.csv"
        path.write_text("ds,y\n2024-01-01,1\n2024-01-02\n")
        with pytest.raises(ValueError, match="row 3 has 1 cells"):
            SeriesSet.from_any(path)

    def test_an_empty_file_is_refused(self, tmp_path):
        (tmp_path / "x.csv").write_text("")
        with pytest.raises(ValueError, match="is empty"):
            SeriesSet.from_any(tmp_path / "x.csv")

    def test_covariates_and_static_features_are_columns(self, tmp_path):
        header = ("unique_id", "ds", "y", "area", "rain", "holiday")
        rows = [("a", d, i, 5, i, i % 2) for i, d in enumerate(DAYS[:4])]
        rows.append(("a", DAYS[4], "", 5, "", 1))
        series = SeriesSet.from_any(
            write(tmp_path / "c.csv", header, rows),
            static=["area"],
            past_covariates=["rain"],
            future_covariates=["holiday"],
        )
        assert series.lengths == [4]  # the last row is the future
        assert series.static.tolist() == [[5.0]]
        assert series.past[0].shape == (4, 1) and series.future[0].shape == (5, 1)
        assert series.future[0][4, 0] == 1

    def test_static_features_that_change_are_named(self, tmp_path):
        rows = [("a", d, i, i) for i, d in enumerate(DAYS)]
        path = write(tmp_path / "c.csv", ("unique_id", "ds", "y", "area"), rows)
        with pytest.raises(ValueError, match="'area' must have one value.*'a'"):
            SeriesSet.from_any(path, static=["area"])


@pytest.mark.parametrize("library", ["pandas", "polars"])
class TestFrames:
    def test_a_long_frame_is_read_as_its_file(self, library, long_file):
        frames = pytest.importorskip(library)
        ids, times, values = zip(*long_rows(), strict=True)
        frame = frames.DataFrame(
            {
                "unique_id": list(ids),
                "ds": np.array(times, "datetime64[ms]"),
                "y": [float(v) for v in values],
            }
        )
        same(SeriesSet.from_any(frame), SeriesSet.from_any(long_file))

    def test_a_wide_frame_has_channels(self, library):
        frames = pytest.importorskip(library)
        frame = frames.DataFrame({"ds": list(DAYS), "a": [1.0] * 5, "b": [2.0] * 5})
        assert SeriesSet.from_any(frame).names == ["a", "b"]


class TestParts:
    def series(self):
        return SeriesSet(
            ["a", "b"],
            [np.arange(6.0), np.arange(3.0)],
            [np.datetime64("2024-01-01T00"), np.datetime64("2024-01-02T00")],
            "h",
            future=[np.arange(8.0), np.arange(5.0)],
        )

    def test_slices_count_from_each_end(self):
        part = self.series().slice(-4, -1)
        assert part.lengths == [3, 2]
        np.testing.assert_array_equal(part.values[0][:, 0], [2, 3, 4])
        assert part.starts[0] == np.datetime64("2024-01-01T02")

    def test_slices_keep_what_is_known_of_the_future(self):
        part = self.series().slice(1, 3)
        np.testing.assert_array_equal(part.future[0][:, 0], np.arange(1.0, 8))

    def test_series_are_selected(self):
        part = self.series().select([1])
        assert part.ids == ["b"] and part.lengths == [3]

    def test_times_go_on_beyond_the_end(self):
        times = self.series().times(1, 3, 5)
        assert times.astype("datetime64[h]").astype(str).tolist() == [
            "2024-01-02T03",
            "2024-01-02T04",
        ]

    def test_rows_that_follow_are_joined(self):
        whole = self.series()
        joined = whole.slice(0, 2).followed_by(whole.slice(2))
        same(joined, whole)
        np.testing.assert_array_equal(joined.future[0], whole.future[0])

    def test_a_gap_between_rows_is_named(self):
        whole = self.series()
        with pytest.raises(ValueError, match="'a' goes on at 2024-01-01T02"):
            whole.slice(0, 2).followed_by(whole.slice(3))

    def test_rows_of_other_series_are_refused(self):
        whole = self.series()
        with pytest.raises(ValueError, match=r"\['a', 'b'\]"):
            whole.followed_by(whole.select([0]))

    def test_ids_must_differ(self):
        with pytest.raises(ValueError, match="same id"):
            SeriesSet(["a", "a"], [[1.0], [2.0]], [0, 0])
