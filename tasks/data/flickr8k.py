"""Flickr8k: 8,000 photographs of people and animals, five captions each."""

import csv
import tarfile
from pathlib import Path

from tasks.data.captions import Captioned
from tasks.data.files import PackedFile

PARTS = {
    "train": "Flickr_8k.trainImages.txt",
    "dev": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
FOLDERS = ("images", "Images", "Flicker8k_Dataset", "Flickr8k_Dataset")
ARCHIVES = ("images.tar", "Flickr8k_Dataset.zip")
TABLES = ("captions.txt", "Flickr8k.token.txt")


def read_flickr8k(folder, part):
    """Pictures of one part, with their captions.

    Args:
        folder: Path of a folder with the lists of pictures (`Flickr_8k.trainImages.txt`
            and the like); `captions.txt` (`image,caption`) or `Flickr8k.token.txt`
            (`image#number`, a tab, the caption); and the pictures in a folder
            `images`, `Images` or `Flicker8k_Dataset`, or in `images.tar`, which is
            not unpacked.
        part: `"train"`, `"dev"` or `"test"`.

    Returns:
        List of `tasks.data.captions.Captioned`, in the order of the list.

    Raises:
        FileNotFoundError: If something is missing; the message says what.
        ValueError: If there is no such part.
    """
    folder = Path(folder)
    if part not in PARTS:
        raise ValueError(f"`part` must be one of {', '.join(PARTS)}. Got: {part!r}")
    captions = read_captions(_one_of(folder, TABLES))
    pictures = flickr8k_pictures(folder)
    found = []
    for name in (folder / PARTS[part]).read_text("utf-8").split():
        if name not in captions or name not in pictures:
            what = "caption" if name not in captions else "picture"
            raise FileNotFoundError(
                f"{PARTS[part]} in {folder} names {name}, which has no {what} there."
            )
        found.append(Captioned(pictures[name], tuple(captions[name])))
    return found


def read_captions(path, numbered=None):
    """Captions by the file name of their picture, in the order of the file.

    Args:
        path: Path of `captions.txt` or `Flickr8k.token.txt`.
        numbered: Whether it is of the second kind; by default its name tells.
    """
    found = {}
    text = Path(path).read_text("utf-8-sig")
    if numbered is None:
        numbered = Path(path).name != TABLES[0]
    if not numbered:
        rows = list(csv.reader(text.splitlines()))[1:]
    else:
        rows = [line.split("\t", 1) for line in text.splitlines() if line]
        rows = [(name.partition("#")[0], caption) for name, caption in rows]
    for name, caption in rows:
        found.setdefault(name, []).append(caption.strip())
    return found


def flickr8k_pictures(folder):
    """Pictures by their file names: paths, or `PackedFile`.

    Args:
        folder: Path of a folder with one of `FOLDERS` or `ARCHIVES`.

    Raises:
        FileNotFoundError: If it has none of them.
    """
    path = _one_of(folder, (*FOLDERS, *ARCHIVES))
    if path.is_dir():
        return {picture.name: picture for picture in path.iterdir()}
    if path.suffix == ".zip":
        raise FileNotFoundError(
            f"Unpack {path} there: the pictures of a zip file cannot be read in place."
        )
    with tarfile.open(path) as archive:
        return {
            Path(member.name).name: PackedFile(
                str(path), member.name, member.offset_data, member.size
            )
            for member in archive
            if member.isfile()
        }


def _one_of(folder, names):
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"{folder} has none of {', '.join(names)}.")
