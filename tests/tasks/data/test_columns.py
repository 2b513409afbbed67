"""Columns of files and frames as people have them: dialects, names, gaps, indices."""

import numpy as np
import pytest

from tasks.data.series import SeriesSet

DAYS = [f"2024-01-0{i}" for i in range(1, 6)]


@pytest.fixture
def read(tmp_path):
    def read(text, encoding="utf-8", **options):
        (tmp_path / "x.csv").write_bytes(text.encode(encoding))
        return SeriesSet.from_any(tmp_path / "x.csv", **options)

    return read


def values(series):
    return series.values[0][:, 0].tolist()


class TestFiles:
    @pytest.mark.parametrize("mark", [",", ";", "\t"])
    def test_cells_are_set_apart_by_any_usual_mark(self, read, mark):
        series = read(f"ds{mark}y\n2024-01-01{mark}1\n2024-01-02{mark}2.5\n")
        assert values(series) == [1, 2.5] and series.names == ["y"]

    @pytest.mark.parametrize("cell", ["", "NA", "NaN", "nan", "null", "#N/A", " NA "])
    def test_missing_cells_say_so_in_many_ways(self, read, cell):
        series = read(f"ds,y\n2024-01-01,1\n2024-01-02,{cell}\n2024-01-03,3\n")
        np.testing.assert_array_equal(values(series), [1, np.nan, 3])

    def test_a_comma_in_a_number_is_named(self, read):
        with pytest.raises(ValueError, match="'y' must hold numbers.*'1,5'"):
            read("ds;y\n2024-01-01;1,5\n2024-01-02;2,5\n")

    def test_spaces_around_names_do_not_count(self, read):
        assert read("ds , y\n2024-01-01, 1\n2024-01-02, 2\n").names == ["y"]

    def test_an_index_without_a_name_is_no_channel(self, read):
        series = read(",ds,a,b\n0,2024-01-01,1,2\n1,2024-01-02,3,4\n")
        assert series.names == ["a", "b"]

    def test_an_index_of_times_needs_no_name(self, read):
        series = read(",a,b\n2024-01-01,1,2\n2024-01-02,3,4\n")
        assert series.names == ["a", "b"] and series.frequency == "D"

    def test_two_columns_of_one_name_are_refused(self, read):
        with pytest.raises(ValueError, match="two columns named 'y'"):
            read("ds,y,y\n2024-01-01,1,2\n2024-01-02,2,3\n")

    def test_other_encodings_are_named(self, read):
        with pytest.raises(ValueError, match=r"x\.csv is no CSV file in UTF-8"):
            read("unique_id,ds,y\nKöln,2024-01-01,1\n", encoding="latin-1")

    def test_empty_lines_count_in_the_numbers_of_rows(self, read):
        with pytest.raises(ValueError, match="row 4 has 1 cells"):
            read("ds,y\n\n2024-01-01,1\n2024-01-02\n")

    def test_rows_without_an_id_are_refused(self, read):
        with pytest.raises(ValueError, match="'unique_id' has rows without an id"):
            read("unique_id,ds,y\n,2024-01-01,1\na,2024-01-01,2\n")

    def test_an_id_may_read_like_nothing(self, read):
        # Namibia's.
        text = "unique_id,ds,y\nNA,2024-01-01,1\nNA,2024-01-02,2\n"
        assert read(text).ids == ["NA"]

    def test_a_file_without_rows_has_no_series(self, read):
        assert len(read("unique_id,ds,y,a\n", static=["a"])) == 0

    def test_one_column_may_be_named_without_a_list(self, read):
        text = "ds,y,rain\n2024-01-01,1,5\n2024-01-02,2,6\n"
        assert read(text, past_covariates="rain").past[0][:, 0].tolist() == [5, 6]


class TestObjects:
    """Columns as data frames hand them over, without their library."""

    def test_many_series_are_sorted_out_in_one_pass(self):
        from tasks.data.frames import series_of

        ids = np.array([f"s{i % 3000}" for i in range(60_000)], object)
        columns = {"unique_id": ids, "ds": np.arange(60_000) // 3000}
        columns["y"] = np.arange(60_000.0)
        calls = []

        class Counted(str):
            def __eq__(self, other):
                calls.append(other)
                return str.__eq__(self, other)

            __hash__ = str.__hash__

        columns["unique_id"] = np.array([Counted(i) for i in ids], object)
        parts = series_of(columns, "y", "unique_id", "ds", None, [], [], [])
        assert len(parts["ids"]) == 3000 and parts["values"][7].shape == (20, 1)
        assert len(calls) < 20 * len(ids)

    def test_values_of_many_kinds_are_numbers(self):
        from tasks.data.frames import series_of

        column = np.array([1, None, "3", np.float32(4), np.nan], object)
        parts = series_of(
            {"ds": np.arange(5), "y": column}, "y", "unique_id", "ds", None, [], [], []
        )
        np.testing.assert_array_equal(
            parts["values"][0][:, 0], [1, np.nan, 3, 4, np.nan]
        )

    @pytest.mark.parametrize("column", [np.array([1j, 2j]), np.array(DAYS[:2], "M8")])
    def test_other_values_are_refused(self, column):
        from tasks.data.frames import series_of

        with pytest.raises(ValueError, match="'y' must hold numbers"):
            series_of(
                {"ds": np.arange(2), "y": column}, "y", "id", "ds", None, [], [], []
            )


class TestPandas:
    """What pandas alone has: an index, missing values of its own, time zones."""

    @pytest.fixture
    def pandas(self):
        return pytest.importorskip("pandas")

    def test_an_index_of_times_is_read(self, pandas):
        frame = pandas.DataFrame(
            {"a": [1.0] * 5, "b": [2.0] * 5}, index=pandas.DatetimeIndex(DAYS)
        )
        series = SeriesSet.from_any(frame)
        assert series.names == ["a", "b"] and series.frequency == "D"

    def test_an_index_named_as_the_columns_are_is_read(self, pandas):
        frame = pandas.DataFrame(
            {"unique_id": ["a"] * 5, "ds": DAYS, "y": [1.0] * 5}
        ).set_index(["unique_id", "ds"])
        series = SeriesSet.from_any(frame)
        assert series.ids == ["a"] and series.names == ["y"]

    def test_a_series_with_times_keeps_them(self, pandas):
        series = pandas.Series([1.0] * 5, index=pandas.DatetimeIndex(DAYS))
        assert SeriesSet.from_any(series).starts[0] == np.datetime64("2024-01-01")

    def test_an_index_of_numbers_is_no_channel(self, pandas):
        frame = pandas.DataFrame({"ds": DAYS, "a": [1.0] * 5}).iloc[1:]
        assert SeriesSet.from_any(frame).names == ["a"]

    def test_names_may_be_numbers(self, pandas):
        frame = pandas.DataFrame(np.ones((5, 2))).assign(ds=DAYS)
        assert SeriesSet.from_any(frame).names == ["0", "1"]

    def test_names_must_differ(self, pandas):
        frame = pandas.DataFrame(np.ones((5, 2)), columns=["y", "y"]).assign(ds=DAYS)
        with pytest.raises(ValueError, match="unique column names"):
            SeriesSet.from_any(frame)

    @pytest.mark.parametrize("dtype", ["Int64", "Float64", "string", "object"])
    def test_missing_values_stay_missing(self, pandas, dtype):
        cells = ["1", None, "3", "4", "5"] if dtype == "string" else [1, None, 3, 4, 5]
        frame = pandas.DataFrame({"ds": DAYS, "y": pandas.array(cells, dtype=dtype)})
        found = values(SeriesSet.from_any(frame))
        np.testing.assert_array_equal(found, [1, np.nan, 3, 4, 5])

    def test_days_of_a_time_zone_are_days(self, pandas):
        # Clocks are put forward on 31 March.
        times = pandas.date_range("2024-03-29", periods=5, tz="Europe/Berlin")
        series = SeriesSet.from_any(pandas.DataFrame({"ds": times, "y": [1.0] * 5}))
        assert series.frequency == "D" and series.lengths == [5]
        assert series.starts[0] == np.datetime64("2024-03-29")

    def test_hours_of_a_time_zone_are_counted_in_utc(self, pandas):
        times = pandas.date_range(
            "2024-10-26T20:00", periods=12, freq="h", tz="Europe/Berlin"
        )
        series = SeriesSet.from_any(pandas.DataFrame({"ds": times, "y": [1.0] * 12}))
        assert series.frequency == "h" and series.lengths == [12]
        assert series.starts[0] == np.datetime64("2024-10-26T18:00")
