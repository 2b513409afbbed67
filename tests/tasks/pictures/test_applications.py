"""The nets of keras.applications, read as they ask to be."""

import keras
import numpy as np
import pytest

from tasks.captioning import Captioner
from tasks.pictures import picture_net
from tests.task_contract import assert_same_weights
from zoo import load

SMALL = {"features": "keras.applications.MobileNet", "feature_options": {"alpha": 0.25}}


def test_pictures_are_prepared_as_the_model_asks():
    keras.utils.set_random_seed(0)
    made = picture_net(SMALL["features"], 32, SMALL["feature_options"])
    plain = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(32, 32, 3), alpha=0.25
    )
    # Weights so large that something comes out at the end.
    weights = [w * 6 if w.ndim == 4 else w for w in made.get_weights()]
    for net in (made, plain):
        net.set_weights(weights)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3))
    pictures = pictures.astype("float32")
    wanted = plain.predict_on_batch(
        keras.applications.mobilenet.preprocess_input(pictures.copy())
    )
    np.testing.assert_allclose(made.predict_on_batch(pictures), wanted, atol=1e-3)
    assert np.abs(wanted - plain.predict_on_batch(pictures)).max() > 1e-2
    assert not made.trainable_weights


def test_a_model_that_is_not_there_is_told():
    with pytest.raises(ValueError, match="no 'MobileNetV9'. It has: .*MobileNetV2"):
        picture_net("keras.applications.MobileNetV9", 32)


def test_without_a_network_the_other_net_is_named(monkeypatch):
    def fail(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(keras.utils, "get_file", fail)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", fail)
    with pytest.raises(ValueError, match="cannot be downloaded.*mobilenet_v2"):
        picture_net("keras.applications.MobileNetV2", 224, None, "imagenet")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_captioner_on_such_a_net_is_saved_with_it(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (40, 30, 3), "uint8")
    task = Captioner.for_data(
        [(picture, "a dog")],
        picture_weights="random",
        picture_size=32,
        units=8,
        **SMALL,
    )
    again = load(task.save(tmp_path / "saved"))
    assert_same_weights(again, task)
    wanted = task.predict(picture)
    assert again.predict(picture).log_probability == pytest.approx(
        wanted.log_probability, abs=1e-4
    )
