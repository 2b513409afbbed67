"""Flickr8k as people have it: folders or an archive, two tables of captions."""

import io
import tarfile

import pytest

from tasks.data.files import file_bytes
from tasks.data.flickr8k import read_captions, read_flickr8k

NAMES = ["1_a.jpg", "2_b.jpg", "3_c.jpg"]


@pytest.fixture(params=["folder", "archive"])
def folder(request, tmp_path):
    if request.param == "folder":
        (tmp_path / "Flicker8k_Dataset").mkdir()
        for name in NAMES:
            (tmp_path / "Flicker8k_Dataset" / name).write_bytes(name.encode())
    else:
        with tarfile.open(tmp_path / "images.tar", "w") as archive:
            for name in NAMES:
                member = tarfile.TarInfo(f"images/{name}")
                member.size = len(name)
                archive.addfile(member, io.BytesIO(name.encode()))
    rows = ["image,caption", "1_a.jpg,A dog .", '1_a.jpg,"A dog, a cat"', "2_b.jpg,x"]
    (tmp_path / "captions.txt").write_text("\n".join(rows))
    for part, names in (("train", "2_b.jpg 1_a.jpg"), ("dev", "3_c.jpg"), ("test", "")):
        path = tmp_path / f"Flickr_8k.{part}Images.txt"
        path.write_text(names.replace(" ", "\n"))
    return tmp_path


def test_a_part_is_read_in_the_order_of_its_list(folder):
    found = read_flickr8k(folder, "train")
    assert [example.captions for example in found] == [
        ("x",),
        ("A dog .", "A dog, a cat"),
    ]
    assert [file_bytes(example.picture) for example in found] == [
        b"2_b.jpg",
        b"1_a.jpg",
    ]


def test_the_older_table_is_read_too(tmp_path):
    path = tmp_path / "Flickr8k.token.txt"
    path.write_text("1_a.jpg#0\tA dog .\n1_a.jpg#1\tA dog, a cat\n")
    assert read_captions(path) == {"1_a.jpg": ["A dog .", "A dog, a cat"]}


def test_a_picture_without_captions_is_named(folder):
    with pytest.raises(FileNotFoundError, match="3_c.jpg, which has no caption"):
        read_flickr8k(folder, "dev")


def test_a_missing_picture_is_named(folder):
    (folder / "Flickr_8k.testImages.txt").write_text("4_d.jpg")
    (folder / "captions.txt").write_text("image,caption\n4_d.jpg,a dog\n")
    with pytest.raises(FileNotFoundError, match="4_d.jpg, which has no picture"):
        read_flickr8k(folder, "test")


def test_what_is_missing_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="captions.txt"):
        read_flickr8k(tmp_path, "train")
    with pytest.raises(ValueError, match="train, dev, test"):
        read_flickr8k(tmp_path, "valid")


def test_the_true_data_have_three_parts_without_overlap(data_dir):
    if not (data_dir / "flickr8k").is_dir():
        pytest.skip("flickr8k is not in ZOO_DATA_DIR")
    parts = {
        part: read_flickr8k(data_dir / "flickr8k", part)
        for part in ("train", "dev", "test")
    }
    assert [len(part) for part in parts.values()] == [6000, 1000, 1000]
    names = {str(e.picture) for part in parts.values() for e in part}
    assert len(names) == 8000
    assert all(len(e.captions) == 5 for part in parts.values() for e in part)
