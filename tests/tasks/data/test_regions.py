"""What a net sees, computed once: the cache, its key, and kills half-way."""

import keras
import numpy as np
import pytest

from tasks.data import regions
from tasks.data.regions import RegionReader

PICTURES = [np.full((9, 9, 3), value, "uint8") for value in range(0, 250, 50)]


def net(seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.Conv2D(4, 4, 4, name="patches")(inputs)
    return keras.Model(inputs, outputs)


@pytest.fixture(scope="module")
def reader():
    return RegionReader(net(), 8, batch_size=2)


def test_regions_are_what_the_net_answers(reader):
    found = reader.read(PICTURES)
    assert found.shape == (5, 4, 4) and found.dtype == np.float16
    arrays = np.full((1, 8, 8, 3), 150, "float32")
    wanted = np.asarray(reader.net.predict_on_batch(arrays)).reshape(4, 4)
    np.testing.assert_allclose(found[3], wanted, rtol=1e-3)


def test_mirrored_pictures_are_seen_mirrored(reader):
    picture = np.zeros((8, 8, 3), "uint8")
    picture[:, :4] = 255
    mirrored = picture[:, ::-1]
    np.testing.assert_array_equal(
        reader.read([picture], mirror=True), reader.read([mirrored])
    )
    assert np.abs(reader.read([picture]) - reader.read([mirrored])).max() > 1


def test_a_second_view_is_the_mirror_image(reader):
    picture = np.zeros((8, 8, 3), "uint8")
    picture[:, :3] = 255
    both = RegionReader(reader.net, 8, views=2).read([picture, picture])
    assert both.shape == (2, 8, 4)
    np.testing.assert_array_equal(both[:, :4], reader.read([picture] * 2))
    np.testing.assert_array_equal(both[:, 4:], reader.read([picture] * 2, mirror=True))
    assert np.abs(both[:, :4] - both[:, 4:]).max() > 1


def test_the_cache_is_read_again(reader, tmp_path, monkeypatch):
    first = np.array(reader.read(PICTURES, tmp_path))
    np.testing.assert_array_equal(first, reader.read(PICTURES))
    monkeypatch.setattr(regions, "picture_array", lambda *_: 1 / 0)
    np.testing.assert_array_equal(reader.read(PICTURES, tmp_path), first)
    with pytest.raises(ZeroDivisionError):  # in another order it is another file
        reader.read(PICTURES[::-1], tmp_path)


def test_the_key_knows_pictures_mirror_size_views_and_weights(reader, tmp_path):
    other = RegionReader(net(seed=1), 8)
    keys = {
        reader._key(PICTURES, False),
        reader._key(PICTURES[:3], False),
        reader._key(PICTURES, True),
        other._key(PICTURES, False),
        RegionReader(reader.net, 16)._key(PICTURES, False),
        RegionReader(reader.net, 8, views=2)._key(PICTURES, False),
    }
    assert len(keys) == 6
    assert RegionReader(net(), 8)._key(PICTURES, False) in keys


def test_a_failure_leaves_nothing_half_done(reader, tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        reader.read([*PICTURES, b"no picture"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_numbers_beyond_half_precision_stay_finite(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    huge = keras.Model(inputs, keras.layers.Rescaling(1e4)(inputs))
    found = RegionReader(huge, 8).read(PICTURES)
    assert np.isfinite(found).all() and found.max() == np.finfo("float16").max
