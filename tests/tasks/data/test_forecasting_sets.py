"""Readers of series: small files of each form, and the files that are measured on."""

import gzip

import numpy as np
import pytest

from tasks.data import forecasting_sets
from tasks.data.forecasting_sets import (
    ETT_SPLITS,
    exchange_rate_splits,
    read_ett,
    read_exchange_rate,
    read_m4_hourly,
)
from tasks.forecast import naive
from tasks.metrics import forecasts

ETT = "date,HUFL,OT\n2016-07-01 00:00:00,5.8,-1\n2016-07-01 01:00:00,6.0,2.5\n"
RATES = "\n".join(",".join(f"{row}.{k}" for k in range(8)) for row in range(3)) + "\n"


def m4_rows(lengths):
    width = max(lengths)
    rows = ['"V1",' + ",".join(f'"V{i + 2}"' for i in range(width))]
    for number, length in enumerate(lengths, 1):
        cells = [f'"{number}{i:03}"' for i in range(length)] + [""] * (width - length)
        rows.append(f'"H{number}",' + ",".join(cells))
    return "\n".join(rows) + "\n"


def put_m4(folder, train=(5, 9), test=(48, 48)):
    folder.mkdir(exist_ok=True)
    (folder / "Hourly-train.csv").write_text(m4_rows(train))
    (folder / "Hourly-test.csv").write_text(m4_rows(test))


class TestEtt:
    @pytest.mark.parametrize("place", ["ETTh1.csv", "ett/ETTh1.csv"])
    def test_it_is_read_from_either_place(self, tmp_path, place):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(ETT)
        table = read_ett(tmp_path)
        assert table.columns == ("HUFL", "OT")
        assert table.values.tolist() == [[5.8, -1.0], [6.0, 2.5]]
        assert table.times.tolist()[1].isoformat() == "2016-07-01T01:00:00"

    def test_the_other_table(self, tmp_path):
        (tmp_path / "ETTh2.csv").write_text(ETT)
        assert read_ett(tmp_path, "ETTh2").values.shape == (2, 2)

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="ETTh1.csv is neither in"):
            read_ett(tmp_path)

    @pytest.mark.parametrize("text", ["a,b\n1,2\n", "date,OT\n"])
    def test_another_form_is_refused(self, tmp_path, text):
        (tmp_path / "ETTh1.csv").write_text(text)
        with pytest.raises(ValueError, match="ETTh1.csv: expected columns `date"):
            read_ett(tmp_path)

    @pytest.mark.parametrize("row", ["2016-07-01,1", "2016-07-01,1,x"])
    def test_broken_rows_are_refused(self, tmp_path, row):
        (tmp_path / "ETTh1.csv").write_text(f"{ETT}{row}\n")
        with pytest.raises(ValueError, match="ETTh1.csv: expected rows of as many"):
            read_ett(tmp_path)


class TestM4:
    @pytest.mark.parametrize("place", [".", "m4"])
    def test_lengths_differ_and_nothing_is_filled(self, tmp_path, place):
        put_m4(tmp_path / place)
        m4 = read_m4_hourly(tmp_path)
        assert m4.ids == ("H1", "H2")
        assert [len(series) for series in m4.train] == [5, 9]
        assert m4.train[0].tolist() == [1000, 1001, 1002, 1003, 1004]
        assert m4.test.shape == (2, 48)

    def test_both_files_are_of_the_same_series(self, tmp_path):
        put_m4(tmp_path, test=(48, 48, 48))
        with pytest.raises(ValueError, match="name other series"):
            read_m4_hourly(tmp_path)

    def test_the_horizon_is_48(self, tmp_path):
        put_m4(tmp_path, test=(48, 47))
        with pytest.raises(ValueError, match="expected 48 test values"):
            read_m4_hourly(tmp_path)

    def test_a_hole_is_refused(self, tmp_path):
        put_m4(tmp_path)
        path = tmp_path / "Hourly-train.csv"
        path.write_text(path.read_text().replace('"1001"', ""))
        with pytest.raises(ValueError, match="Hourly-train.csv: expected"):
            read_m4_hourly(tmp_path)

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="Hourly-train.csv is neither in"):
            read_m4_hourly(tmp_path)


class TestExchangeRate:
    def test_it_is_read_compressed_or_not(self, tmp_path):
        (tmp_path / "plain").mkdir()
        (tmp_path / "plain" / "exchange_rate.txt").write_text(RATES)
        with gzip.open(tmp_path / "exchange_rate.txt.gz", "wt") as file:
            file.write(RATES)
        packed = read_exchange_rate(tmp_path)
        plain = read_exchange_rate(tmp_path / "plain")
        assert (packed.values == plain.values).all()
        assert packed.values[2].tolist() == [float(f"2.{k}") for k in range(8)]
        assert len(packed.columns) == 8
        assert packed.times is None

    def test_other_widths_are_refused(self, tmp_path):
        (tmp_path / "exchange_rate.txt").write_text("1,2\n")
        with pytest.raises(ValueError, match="expected 8 columns"):
            read_exchange_rate(tmp_path)

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="exchange_rate.txt.gz or"):
            read_exchange_rate(tmp_path)

    def test_splits_meet_and_fill_all_rows(self):
        splits = exchange_rate_splits(7588)
        assert splits["train"] == (0, 4552)
        assert splits["validation"] == (4552, 6070)
        assert splits["test"] == (6070, 7588)


def from_data_dir(data_dir, folder, read):
    if not (data_dir / folder).is_dir():
        pytest.skip(f"{folder} is not in ZOO_DATA_DIR")
    return read(data_dir)


def test_the_true_ett(data_dir):
    table = from_data_dir(data_dir, "ett", read_ett)
    assert table.values.shape == (17420, 7)
    assert table.columns[-1] == "OT"
    hours = np.diff(table.times)
    assert (hours == np.timedelta64(1, "h")).all()
    starts, stops = zip(*ETT_SPLITS.values(), strict=True)
    assert starts == (0, *stops[:-1]) and stops[-1] == 20 * 30 * 24


def test_the_true_exchange_rates(data_dir):
    table = from_data_dir(data_dir, "exchange_rate", read_exchange_rate)
    assert table.values.shape == (7588, 8)
    assert (table.values > 0).all()


def test_the_true_m4_gives_the_published_scores(data_dir):
    """Of Naive2, and of seasonal naive, as statsforecast 2.1.1 has them."""
    m4 = from_data_dir(data_dir, "m4", read_m4_hourly)
    assert len(m4.ids) == 414
    assert {len(series) for series in m4.train} == {700, 960}
    season, horizon = forecasting_sets.M4_SEASON, forecasting_sets.M4_HORIZON
    naive2 = naive.naive2(m4.train, horizon, season)
    repeated = naive.seasonal_naive(m4.train, horizon, season)
    assert round(forecasts.smape(m4.test, naive2), 3) == 18.383
    assert round(forecasts.mase(m4.test, naive2, m4.train, season), 3) == 2.395
    assert round(forecasts.smape(m4.test, repeated), 3) == 13.912
    assert round(forecasts.mase(m4.test, repeated, m4.train, season), 3) == 1.193
    owa = forecasts.owa(m4.test, repeated, naive2, m4.train, season)
    assert round(owa, 3) == 0.628
