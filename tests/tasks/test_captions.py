"""Captions as results: they print, become plain values, and are drawn."""

import numpy as np
import pytest

from tasks.captions import Caption


@pytest.fixture
def caption():
    attention = np.random.default_rng(0).dirichlet(np.ones(6), 3).reshape(3, 2, 3)
    picture = np.full((8, 10, 3), 200, "uint8")
    found = [
        Caption(picture, "a dog's $1", -1.5, -2.0, ("a", "dog", "'s"), attention),
        Caption(picture, "a cat", -2.5, -3.0, ("a", "cat"), attention[:2]),
    ]
    return Caption(
        picture, *("a dog's $1", -1.5, -2.0, found[0].words, attention, found)
    )


def test_it_prints_as_its_text(caption):
    assert str(caption) == "a dog's $1"
    assert "200" not in repr(caption)  # pictures do not flood a terminal


def test_it_becomes_plain_values(caption):
    plain = caption.to_dict()
    assert plain["picture"] == "<ndarray (8, 10, 3)>"
    assert plain["words"] == ["a", "dog", "'s"]
    assert np.shape(plain["attention"]) == (3, 2, 3)
    assert plain["candidates"][1] == {"text": "a cat", "score": -2.5}


def test_each_word_has_its_map(caption, tmp_path):
    pytest.importorskip("matplotlib")
    figure = caption.plot()
    figure.savefig(tmp_path / "a.png")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["", "a", "dog", "'s"]
    shown = figure.axes[2].images[1]
    np.testing.assert_allclose(shown.get_array(), caption.attention[1])
    # The map lies over the whole picture.
    assert shown.get_extent() == figure.axes[2].images[0].get_extent()


def test_a_caption_without_attention_shows_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    figure = Caption(np.zeros((4, 4, 3)), "dark", words=("dark",)).plot()
    figure.savefig(tmp_path / "a.png")
    assert len(figure.axes) == 1


def test_a_long_caption_is_drawn_in_rows(tmp_path):
    pytest.importorskip("matplotlib")
    words = tuple("abcdefg")
    maps = np.full((7, 2, 2), 0.25)
    figure = Caption(np.zeros((4, 4)), "abc", words=words, attention=maps).plot()
    figure.savefig(tmp_path / "a.png")
    assert [axes.get_title() for axes in figure.axes] == ["", *words]


def test_a_picture_that_is_gone_is_named(tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(FileNotFoundError, match="gone.png"):
        Caption(tmp_path / "gone.png", "a dog").plot()
