"""Small pictures drawn by a few lines, which anyone may have."""

import base64
import io

import numpy as np

from zoo.lazy import Lazy

Image = Lazy("PIL.Image", "pip install pillow")
ImageDraw = Lazy("PIL.ImageDraw", "pip install pillow")

SIZE = 96


def drawn_pictures():
    """Two scenes as addresses `data:image/png;base64,...`: a list of strings."""
    return [_address(_dog_on_grass()), _address(_boat_on_water())]


def _scene(above, below, horizon):
    """A sky over a ground, with some grain."""
    rows = np.arange(SIZE)[:, None, None] < horizon
    ground = np.where(rows, np.array(above), np.array(below))
    grain = np.random.default_rng(0).integers(-12, 13, (SIZE, SIZE, 1))
    pixels = np.clip(np.broadcast_to(ground, (SIZE, SIZE, 3)) + grain, 0, 255)
    image = Image.fromarray(pixels.astype("uint8"))
    return image, ImageDraw.Draw(image)


def _dog_on_grass():
    image, draw = _scene((150, 190, 225), (70, 140, 50), 30)
    brown, dark = (120, 75, 35), (60, 35, 15)
    draw.ellipse((26, 44, 68, 64), brown)
    draw.ellipse((60, 34, 80, 54), brown)
    draw.polygon([(62, 36), (58, 52), (66, 48)], dark)
    draw.ellipse((77, 42, 84, 49), dark)
    for x in (30, 38, 56, 63):
        draw.rectangle((x, 58, x + 4, 78), brown)
    draw.line((28, 50, 16, 36), brown, 4)
    return image


def _boat_on_water():
    image, draw = _scene((190, 215, 240), (30, 85, 130), 52)
    draw.polygon([(46, 12), (46, 54), (74, 54)], (245, 245, 240))
    draw.polygon([(43, 18), (43, 54), (24, 54)], (225, 225, 220))
    draw.polygon([(20, 56), (78, 56), (68, 68), (30, 68)], (150, 40, 35))
    return image


def _address(image):
    stream = io.BytesIO()
    image.quantize(32).save(stream, "PNG")
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return f"data:image/png;base64,{text}"
