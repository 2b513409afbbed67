"""Pictures, in every form in which they may come, as arrays of one size."""

import io
import os
import warnings
from pathlib import Path

import numpy as np

from tasks.data.files import (
    PackedFile,
    content_digest,
    file_bytes,
    is_in_text,
    thing_name,
)
from zoo.lazy import Lazy

Image = Lazy("PIL.Image", "pip install pillow")
ImageOps = Lazy("PIL.ImageOps", "pip install pillow")

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
# What shines through a picture that is not opaque.
_BEHIND = (255, 255, 255)
_KINDS = "a path, bytes, a PIL image, or an array (height, width, 3)"


def picture_array(picture, size):
    """Reads one picture.

    Pictures are squeezed into a square; their first frame counts if they move, and
    what is transparent becomes white. They are turned the way their camera was held.

    Args:
        picture: Path; bytes of a file, or these as `data:image/...;base64,...`;
            `PackedFile`; PIL image of any mode; or an array `(height, width)` or
            `(height, width, 1, 3 or 4)`, of integers from 0 to 255 or of floats from 0
            to 1.
        size: Height and width of the result.

    Returns:
        Array `(size, size, 3)` of uint8: red, green and blue.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If it is none of these.
        ValueError: If it cannot be read; the message names the file.
    """
    with warnings.catch_warnings():
        # A picture so large that it may be an attack is an error, not a warning.
        warnings.simplefilter("error")
        try:
            image = _opened(picture, size)
            return np.asarray(_square(image, size), "uint8")
        except (FileNotFoundError, IsADirectoryError, ImportError, TypeError):
            raise
        except Exception as error:  # Pillow raises errors of many kinds
            reason = str(error) or type(error).__name__
            raise ValueError(
                f"{picture_name(picture)} cannot be read as a picture: {reason}"
            ) from error


def picture_name(picture):
    """What to call a picture in messages and results."""
    return thing_name(picture, "picture")


def picture_digest(picture):
    """Checksum of a picture's content, as bytes.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    return content_digest(picture)


def pictures_from(inputs):
    """Reads what `Captioner.predict` takes.

    Args:
        inputs: A picture, see `picture_array`; the path of a folder with pictures,
            which are taken by name; or a list or an iterator of pictures.

    Returns:
        Whether it was a single picture, and a list of pictures.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If it is none of these.
        ValueError: If a folder has no pictures.
    """
    if isinstance(inputs, (str, os.PathLike)) and os.path.isdir(inputs):
        found = folder_pictures(inputs)
        if not found:
            raise ValueError(
                f"{inputs} holds no pictures: files that end in {', '.join(SUFFIXES)}."
            )
        return False, found
    if isinstance(inputs, list) or hasattr(inputs, "__next__"):
        return False, list(inputs)
    # A named tuple is one picture; a plain one is a list.
    if isinstance(inputs, tuple) and not isinstance(inputs, PackedFile):
        return False, list(inputs)
    return True, [inputs]


def folder_pictures(folder):
    """Paths of the pictures in a folder, by name; not of those in its folders."""
    paths = sorted(Path(folder).iterdir(), key=lambda path: path.name)
    return [path for path in paths if path.suffix.lower() in SUFFIXES]


def _opened(picture, size):
    if isinstance(picture, PackedFile) or is_in_text(picture):
        picture = file_bytes(picture)
    if isinstance(picture, (bytes, bytearray)):
        picture = io.BytesIO(picture)
    if isinstance(picture, (str, os.PathLike, io.BytesIO)):
        with Image.open(picture) as image:
            # A JPEG can be read smaller from the start; large ones take seconds else.
            image.draft("RGB", (2 * size, 2 * size))
            image.load()
            return ImageOps.exif_transpose(image)
    if hasattr(picture, "convert") and hasattr(picture, "getbands"):
        return picture
    return Image.fromarray(_bytes_array(picture))


def _bytes_array(picture):
    if isinstance(picture, (dict, set)) or picture is None or np.ndim(picture) == 0:
        raise TypeError(f"Expected {_KINDS}. Received: {picture!r:.80}")
    array = np.asarray(picture)
    if array.dtype.kind not in "buif":
        raise TypeError(f"Expected {_KINDS}. Received an array of {array.dtype}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ValueError(
            "an array must be (height, width) or (height, width, 1, 3 or 4); this one "
            f"is {array.shape}"
        )
    if not array.size:
        raise ValueError(f"an array of shape {array.shape} has no pixels")
    most = 1 if array.dtype.kind in "bf" else 255
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= most):  # NaN is neither
        raise ValueError(
            "integers must be from 0 to 255, and floats from 0 to 1; these are "
            f"{array.dtype} from {low:g} to {high:g}"
        )
    if most == 1:
        array = np.round(array.astype("float32") * 255)
    return array.astype("uint8")


def _square(image, size):
    """A PIL image as RGB of one size."""
    if getattr(image, "is_animated", False):
        image.seek(0)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _from_many_greys(image)
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBa", "La"):
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, (*_BEHIND, 255))
        image = Image.alpha_composite(ground, image)
    image = image.convert("RGB")
    return image.resize((size, size), Image.Resampling.BICUBIC)


def _from_many_greys(image):
    """Greys of 16 bits, or floats: the lightest one becomes white."""
    values = np.asarray(image).astype("float64")
    if not np.isfinite(values).all():
        raise ValueError("some of its pixels are not finite")
    most = 65535.0 if image.mode != "F" and values.max() > 255 else 255.0
    most = max(most, float(values.max()))
    return Image.fromarray(np.clip(values / most * 255, 0, 255).astype("uint8"))
