"""Pictures of every kind as arrays: sizes, modes, and what cannot be read."""

import base64
import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from tasks.data.files import PackedFile, file_bytes
from tasks.data.pictures import (
    picture_array,
    picture_digest,
    picture_name,
    pictures_from,
)

RED = np.array([220, 30, 40])


def saved(image, form, **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def plain(colour=(220, 30, 40), size=(20, 10), mode="RGB"):
    return Image.new(mode, size, colour)


PICTURES = {
    "PNG": saved(plain(), "PNG"),
    "JPEG": saved(plain(), "JPEG", quality=95),
    "CMYK JPEG": saved(plain().convert("CMYK"), "JPEG", quality=95),
    "palette": saved(plain().convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
    "alpha": saved(plain((220, 30, 40, 255), mode="RGBA"), "PNG"),
    "1x1": saved(plain(size=(1, 1)), "PNG"),
    "1x5000": saved(plain(size=(1, 5000)), "PNG"),
    "BMP": saved(plain(), "BMP"),
    "TIFF": saved(plain(), "TIFF"),
    "PIL": plain(),
    "PIL of LAB's kin": plain().convert("YCbCr"),
    "an array": np.tile(RED.astype("uint8"), (7, 5, 1)),
    "integers": np.tile(RED, (7, 5, 1)),
    "floats": np.tile(RED / 255, (7, 5, 1)),
    "an array with alpha": np.tile(np.append(RED, 255), (7, 5, 1)),
    "a list": np.tile(RED, (3, 3, 1)).tolist(),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_every_kind_is_read(picture):
    array = picture_array(picture, 16)
    assert array.shape == (16, 16, 3) and array.dtype == np.uint8
    assert np.abs(array.astype(int) - RED).max() <= 6


GREYS = {
    "bits": saved(plain(1, mode="1"), "PNG"),
    "grey": saved(plain(255, mode="L"), "PNG"),
    "grey with alpha": saved(plain((255, 255), mode="LA"), "PNG"),
    "16 bits": saved(plain(65535, mode="I;16"), "PNG"),
    "PIL of floats": plain(255.0, mode="F"),
    "PIL of 32 bits": plain(65535, mode="I"),
    "two axes": np.full((4, 6), 255),
    "one channel": np.ones((4, 6, 1)),
    "booleans": np.ones((4, 6), bool),
    "transparent": saved(plain((0, 0, 0, 0), mode="RGBA"), "PNG"),
    "a transparent index": saved(plain(0, mode="P"), "GIF", transparency=0),
}


@pytest.mark.parametrize("picture", GREYS.values(), ids=GREYS)
def test_white_is_white(picture):
    assert (picture_array(picture, 8) == 255).all()


def test_the_first_frame_counts():
    frames = [plain((0, 0, 255)), plain((0, 255, 0)), plain((255, 0, 0))]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert picture_array(data, 4)[0, 0].tolist() == [0, 0, 255]
    moved = Image.open(io.BytesIO(data))
    moved.seek(2)
    assert picture_array(moved, 4)[0, 0].tolist() == [0, 0, 255]


def test_pictures_are_turned_as_the_camera_was_held():
    image = Image.fromarray(np.repeat(np.arange(0, 256, 16, "uint8")[None], 16, 0))
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held on its side
    data = saved(image, "JPEG", quality=95, exif=turned)
    array = picture_array(data, 16)[..., 0].astype(int)
    assert array[-1].mean() - array[0].mean() > 150
    assert abs(array[:, -1].mean() - array[:, 0].mean()) < 10


def test_a_picture_is_squeezed_into_a_square():
    pixels = np.zeros((10, 40), "uint8")
    pixels[:, 20:] = 255
    array = picture_array(pixels, 20)
    assert (array[:, :8] < 20).all() and (array[:, 12:] > 235).all()


def broken(folder):
    png = PICTURES["PNG"]
    big = saved(plain(size=(300, 300)), "BMP")
    return {
        "truncated.png": png[: len(png) // 2],
        "truncated.jpg": saved(Image.effect_noise((90, 90), 50), "JPEG")[:900],
        "truncated.bmp": big[:500],
        "empty.png": b"",
        "text.png": b"This is no picture.",
    }


@pytest.mark.parametrize("name", sorted(broken(None)))
def test_what_cannot_be_read_is_named(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(broken(tmp_path)[name])
    with pytest.raises(ValueError, match=f"{name} cannot be read as a picture"):
        picture_array(path, 8)


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    """A small file that would fill the memory."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    path = tmp_path / "bomb.png"
    path.write_bytes(saved(plain(size=(40, 40)), "PNG"))
    with pytest.raises(ValueError, match="bomb.png"):
        picture_array(path, 8)


def test_missing_files_and_folders_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.png"):
        picture_array(tmp_path / "none.png", 8)
    with pytest.raises(ValueError, match="no pictures"):
        pictures_from(tmp_path)


@pytest.mark.parametrize(
    "thing, error, words",
    [
        (None, TypeError, "a path"),
        (3, TypeError, "3"),
        ({"a": 1}, TypeError, "a path"),
        (np.zeros((2, 3, 5)), ValueError, r"\(2, 3, 5\)"),
        (np.zeros((0, 3, 3)), ValueError, "no pixels"),
        (np.full((2, 2, 3), 300), ValueError, "from 300 to 300"),
        (np.full((2, 2, 3), -1), ValueError, "from -1"),
        (np.full((2, 2, 3), 7.5), ValueError, "floats from 0 to 1"),
        (np.full((2, 2, 3), np.nan), ValueError, "nan"),
        (np.full((2, 2), "a"), TypeError, "array of <U1"),
        ("data:image/png;base64,???", ValueError, "picture in a text"),
    ],
)
def test_what_is_no_picture_is_refused(thing, error, words):
    with pytest.raises(error, match=words):
        picture_array(thing, 8)


def test_a_picture_inside_of_an_archive(tmp_path):
    path = tmp_path / "all.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("CMYK JPEG", "PNG"):
            member = tarfile.TarInfo(name)
            member.size = len(PICTURES[name])
            archive.addfile(member, io.BytesIO(PICTURES[name]))
    with tarfile.open(path) as archive:
        member = archive.getmember("PNG")
    picture = PackedFile(str(path), "PNG", member.offset_data, member.size)
    assert file_bytes(picture) == PICTURES["PNG"]
    np.testing.assert_array_equal(
        picture_array(picture, 8), picture_array(PICTURES["PNG"], 8)
    )
    assert picture_name(picture) == f"{path}:PNG"
    assert pictures_from(picture) == (True, [picture])


def test_names(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PICTURES["PNG"])
    assert picture_name(path) == str(path)
    with Image.open(path) as image:
        assert picture_name(image) == str(path)
    assert picture_name(b"12") == "<2 bytes>"
    assert picture_name(np.zeros((2, 3, 3))) == "<ndarray (2, 3, 3)>"
    assert len(picture_name("data:image/png;base64," + "A" * 9999)) < 60


def test_equal_content_has_an_equal_checksum(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PICTURES["PNG"])
    text = f"data:image/png;base64,{base64.b64encode(PICTURES['PNG']).decode()}"
    assert picture_digest(path) == picture_digest(PICTURES["PNG"])
    assert picture_digest(text) == picture_digest(path)
    array = np.zeros((2, 3, 3), "uint8")
    assert picture_digest(array) == picture_digest(array.copy())
    assert picture_digest(array) != picture_digest(array.reshape(3, 2, 3))
    assert picture_digest(array) != picture_digest(array.astype("int32"))


def test_one_picture_or_several(tmp_path):
    assert pictures_from("a.png") == (True, ["a.png"])
    assert pictures_from(["a.png"]) == (False, ["a.png"])
    assert pictures_from(("a.png", b"1")) == (False, ["a.png", b"1"])
    assert pictures_from(iter(["a.png"])) == (False, ["a.png"])
    assert pictures_from("data:image/png;base64," + "A" * 9999)[0]
