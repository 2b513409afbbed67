"""Builders of sentence pairs and captions, on stand-ins made here."""

import gzip
import hashlib
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

tfds = pytest.importorskip("tensorflow_datasets", reason="needs tensorflow-datasets")

from PIL import Image  # noqa: E402

from tasks.data import builders  # noqa: E402
from tasks.data.builders import flickr8k, multi30k, tatoeba  # noqa: E402
from tasks.data.captions import captions_from  # noqa: E402
from tasks.data.pairs import pairs_from  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of TensorFlow Datasets' own
CHECKSUMS = Path(builders.__file__).with_name("checksums.tsv")
FLICKR_FILES = {name: url.rpartition("/")[2] for name, url in flickr8k.URLS.items()}
MULTI30K_FILES = {
    split: {side: url.rpartition("/")[2] for side, url in sides.items()}
    for split, sides in multi30k.URLS.items()
}


def write_stand_ins(folder):
    """Small files that look like those the builders download."""
    for split, sides in MULTI30K_FILES.items():
        for side, name in sides.items():
            with gzip.open(folder / name, "wt", encoding="utf-8") as file:
                file.write(f"{split} one {side}\nzwei größer {side}\n")
    # So many that all three parts have some.
    lines = [f"Sentence {n}.\tSatz {n}.\n" for n in range(4100)]
    lines += [f"Sentence {n}.\tNoch ein Satz {n}.\n" for n in range(4100)]
    with zipfile.ZipFile(folder / "deu-eng.zip", "w") as archive:
        archive.writestr("deu.txt", "".join(lines))
        archive.writestr("_about.txt", "CC BY 2.0")
    names = ["1_a.jpg", "2_b.jpg", "3_c.jpg"]
    (folder / "Flicker8k_Dataset").mkdir()
    rows = []
    for number, name in enumerate(names):
        colour = (80 * number, 10, 200)
        Image.new("RGB", (8, 6), colour).save(folder / "Flicker8k_Dataset" / name)
        rows += [f"{name}#{i}\tcaption {i} of {name}\n" for i in range(5)]
    (folder / FLICKR_FILES["captions"]).write_text("".join(rows))
    for split, name in zip(("train", "validation", "test"), names, strict=True):
        (folder / FLICKR_FILES[split]).write_text(f"Black_Tern_1.jpg\n{name}\n")
    return folder


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    made = write_stand_ins(tmp_path_factory.mktemp("stand_ins"))
    for case in (TestMulti30k, TestTatoeba, TestFlickr8k):
        case.EXAMPLE_DIR = case.dummy_data = made
    return made


class _Case(tfds.testing.DatasetBuilderTestCase):
    EXAMPLE_DIR = Path(__file__).parent  # until the stand-ins are made
    BUILDER_CONFIG_NAMES_TO_TEST = None


class TestMulti30k(_Case):
    DATASET_CLASS = multi30k.Multi30k
    SPLITS = {"train": 2, "validation": 2, "test": 2}
    OVERLAPPING_SPLITS = ["train", "validation", "test"]
    DL_DOWNLOAD_RESULT = MULTI30K_FILES


class TestTatoeba(_Case):
    DATASET_CLASS = tatoeba.Tatoeba
    SPLITS = {"train": 200, "validation": 2000, "test": 2000}
    DL_DOWNLOAD_RESULT = "deu-eng.zip"


class TestFlickr8k(_Case):
    DATASET_CLASS = flickr8k.Flickr8k
    SPLITS = {"train": 1, "validation": 1, "test": 1}
    DL_DOWNLOAD_RESULT = FLICKR_FILES


del _Case  # it is none of the tests


class FakeDownloads:
    """Stands for the download manager: gives the stand-in of any address."""

    def __init__(self, folder):
        self.manual_dir = folder

    def download(self, urls):
        if isinstance(urls, dict):
            return {name: self.download(url) for name, url in urls.items()}
        return self.manual_dir / urls.rpartition("/")[2]


def examples(builder, folder):
    """Examples of each split, before they are written."""
    splits = builder._split_generators(FakeDownloads(folder))
    return {name: [e for _, e in generated] for name, generated in splits.items()}


def test_multi30k_joins_its_sides_line_by_line(folder, tmp_path):
    found = examples(multi30k.Multi30k(data_dir=tmp_path), folder)
    assert found["test"][0] == {"en": "test one en", "de": "test one de"}
    assert found["train"][1]["de"] == "zwei größer de"


def test_tatoeba_has_no_sentence_in_two_parts(folder, tmp_path):
    found = examples(tatoeba.Tatoeba(data_dir=tmp_path), folder)
    sources = {name: {e["en"] for e in part} for name, part in found.items()}
    assert [len(part) for part in found.values()] == [200, 2000, 2000]
    assert not sources["train"] & (sources["validation"] | sources["test"])
    assert not sources["validation"] & sources["test"]
    assert len(sources["train"]) == 100  # with both of their translations


def test_flickr8k_leaves_out_what_is_not_its_own(folder, tmp_path):
    found = examples(flickr8k.Flickr8k(data_dir=tmp_path), folder)
    assert [e["name"] for e in found["validation"]] == ["2_b.jpg"]
    assert found["test"][0]["captions"][4] == "caption 4 of 3_c.jpg"


def test_what_is_loaded_can_be_trained_on(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(
        tfds.download.DownloadManager, "download", FakeDownloads(folder).download
    )
    options = tfds.download.DownloadConfig(manual_dir=folder)
    builder = flickr8k.Flickr8k(data_dir=tmp_path)
    builder.download_and_prepare(download_config=options)
    (found,) = captions_from(builder.as_dataset(split="test", as_supervised=True))
    assert np.shape(found.picture) == (6, 8, 3) and len(found.captions) == 5
    builder = multi30k.Multi30k(data_dir=tmp_path)
    builder.download_and_prepare()
    pairs = pairs_from(builder.as_dataset(split="test", as_supervised=True))
    assert pairs[0] == ("test one en", "test one de")


def read_checksums():
    rows = [line.split("\t") for line in CHECKSUMS.read_text().splitlines()]
    return {url: (int(size), digest, name) for url, size, digest, name in rows}


def addresses():
    both = [url for sides in multi30k.URLS.values() for url in sides.values()]
    return {*both, tatoeba.URL, *flickr8k.URLS.values()}


def test_every_address_has_its_checksum_and_names_a_commit():
    assert addresses() <= set(read_checksums())
    assert all(re.search("/[0-9a-f]{40}/", url) for url in addresses())


def test_the_true_files_are_those_of_the_checksums(data_dir):
    checked = 0
    for url in addresses():
        size, digest, name = read_checksums()[url]
        for path in data_dir.glob(f"multi30k/raw/{name}"):
            content = path.read_bytes()
            assert len(content) == size
            assert hashlib.sha256(content).hexdigest() == digest
            checked += 1
    if not checked:
        pytest.skip("none of the files is in ZOO_DATA_DIR")
