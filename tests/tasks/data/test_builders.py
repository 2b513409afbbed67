"""Builders for TensorFlow Datasets, on small stand-ins for the files they download."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

tfds = pytest.importorskip("tensorflow_datasets", reason="needs tensorflow-datasets")

from tasks.data import builders  # noqa: E402
from tasks.data.builders import ett, exchange_rate, m4_hourly  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of TensorFlow Datasets' own
FAKES = Path(__file__).with_name("fake_examples")
CHECKSUMS = Path(builders.__file__).with_name("checksums.tsv")


class TestEtt(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builders.Ett
    EXAMPLE_DIR = FAKES
    SPLITS = {"full": 1, "train": 1, "validation": 1, "test": 1}
    OVERLAPPING_SPLITS = ["full", "train", "validation", "test"]
    DL_DOWNLOAD_RESULT = "ETTh1.csv"


class TestM4Hourly(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builders.M4Hourly
    EXAMPLE_DIR = FAKES
    SPLITS = {"train": 2, "test": 2}
    OVERLAPPING_SPLITS = ["test"]
    DL_DOWNLOAD_RESULT = {"train": "Hourly-train.csv", "test": "Hourly-test.csv"}


class TestExchangeRate(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builders.ExchangeRate
    EXAMPLE_DIR = FAKES
    SPLITS = {"full": 1, "train": 1, "validation": 1, "test": 1}
    OVERLAPPING_SPLITS = ["full", "train", "validation", "test"]
    DL_DOWNLOAD_RESULT = "exchange_rate.txt.gz"


class FakeDownloads:
    """Stands for the download manager: gives the stand-in of any address."""

    def __init__(self):
        self.asked = []

    def download(self, urls):
        if isinstance(urls, dict):
            return {name: self.download(url) for name, url in urls.items()}
        self.asked.append(urls)
        return FAKES / urls.rpartition("/")[2]


def examples(builder):
    """Examples of each split, before they are written."""
    splits = builder._split_generators(FakeDownloads())
    return {name: [e for _, e in generated] for name, generated in splits.items()}


def test_ett_keeps_every_row_and_its_time(tmp_path):
    found = examples(builders.Ett(data_dir=tmp_path, config="etth1"))
    (full,) = found["full"]
    assert full["values"].shape == (4, 7)
    assert full["values"][3, 6] == 3.6
    assert (np.diff(full["seconds"]) == 3600).all()
    assert found["train"][0]["values"].shape == (4, 7)
    assert found["test"][0]["values"].shape == (0, 7)


def test_both_tables_are_asked_for_by_their_own_address(tmp_path):
    for config, name in (("etth1", "ETTh1.csv"), ("etth2", "ETTh2.csv")):
        asked = FakeDownloads()
        builders.Ett(data_dir=tmp_path, config=config)._split_generators(asked)
        assert [url.rpartition("/")[2] for url in asked.asked] == [name]


def test_m4_keeps_the_order_and_lengths_of_its_series(tmp_path):
    found = examples(builders.M4Hourly(data_dir=tmp_path))
    assert [example["id"] for example in found["train"]] == ["H1", "H2"]
    assert [len(example["values"]) for example in found["train"]] == [5, 3]
    assert found["test"][1]["values"].tolist() == [[200.0], [201.0]]


def test_exchange_rates_are_split_by_60_20_20(tmp_path):
    found = examples(builders.ExchangeRate(data_dir=tmp_path))
    sizes = {name: len(rows[0]["values"]) for name, rows in found.items()}
    assert sizes == {"full": 10, "train": 6, "validation": 2, "test": 2}


def read_checksums():
    rows = [line.split("\t") for line in CHECKSUMS.read_text().splitlines()]
    return {url: (int(size), digest, name) for url, size, digest, name in rows}


def test_every_address_has_its_checksum_and_names_a_commit():
    urls = {ett.URL.format("ETTh1"), ett.URL.format("ETTh2"), exchange_rate.URL}
    assert set(read_checksums()) >= urls | set(m4_hourly.URLS.values())
    assert all(re.search("/[0-9a-f]{40}/", url) for url in read_checksums())


def test_another_file_is_refused(tmp_path):
    """What comes from an address is held to its checksum."""
    from tensorflow_datasets.core.download import checksums, download_manager

    (tmp_path / "rates.txt").write_text("1,2,3\n")
    url = (tmp_path / "rates.txt").as_uri()
    infos = {url: checksums.load_url_infos(CHECKSUMS)[exchange_rate.URL]}
    manager = download_manager.DownloadManager(
        download_dir=tmp_path / "downloads", url_infos=infos
    )
    with pytest.raises(download_manager.NonMatchingChecksumError):
        manager.download(url)


def test_the_true_files_are_those_of_the_checksums(data_dir):
    checked = 0
    for size, digest, name in read_checksums().values():
        for path in data_dir.glob(f"*/{name}"):
            content = path.read_bytes()
            assert len(content) == size
            assert hashlib.sha256(content).hexdigest() == digest
            checked += 1
    if not checked:
        pytest.skip("none of the files is in ZOO_DATA_DIR")
