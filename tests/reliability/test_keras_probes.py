"""What is known of Keras' own loaders, tried again with every Keras.

The zoo never loads a preset by them. People load `.keras` files beside it, and the
bound on Keras in `pyproject.toml` is there for these.
"""

import json
import os
import shutil
import tarfile
import zipfile

import h5py
import keras
import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("ignore")


def evil(x):
    raise AssertionError("code from a file was run")


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])


@pytest.fixture
def saved(model, tmp_path):
    model.save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def with_config(path, change):
    """Changes the config inside a `.keras` file."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in parts.items():
            file.writestr(name, data)


def with_layer(path, layer):
    with_config(path, lambda config: config["config"]["layers"].append(layer))


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_lambda_in_a_file(ending, tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x)])
    model.save(tmp_path / f"model.{ending}")
    with pytest.raises(ValueError, match="[Ll]ambda"):
        keras.models.load_model(tmp_path / f"model.{ending}")


def test_lambda_in_a_config():
    config = keras.layers.serialize(keras.layers.Lambda(evil))
    config["config"]["function"] = {
        "class_name": "__lambda__",
        "config": {"code": "4wEAAAA=", "defaults": None, "closure": None},
    }
    with pytest.raises(ValueError, match="[Ll]ambda"):
        keras.layers.deserialize(config)


def test_a_vocabulary_that_is_a_path(saved, tmp_path):
    (tmp_path / "secret.txt").write_text("secret\n")
    layer = keras.layers.serialize(keras.layers.StringLookup(vocabulary=["a"]))
    layer["config"]["vocabulary"] = str(tmp_path / "secret.txt")
    with_layer(saved, layer)
    with pytest.raises((ValueError, TypeError)):
        keras.models.load_model(saved)


def test_a_config_that_names_a_function(saved):
    layer = {
        "module": "os",
        "class_name": "getcwd",
        "config": {},
        "registered_name": "function",
    }
    with_layer(saved, layer)
    with pytest.raises((ValueError, TypeError)):
        keras.models.load_model(saved)


def test_a_name_that_climbs_out_of_the_archive(saved, tmp_path):
    with zipfile.ZipFile(saved, "a") as file:
        file.writestr("../climbed.txt", "x")
    try:
        keras.models.load_model(saved)
    except ValueError:
        pass
    assert not list(tmp_path.parent.rglob("climbed.txt"))


def kernel(file):
    """Name of the dataset of the layer's kernel."""
    names = []
    file.visititems(
        lambda name, item: (
            names.append(name)
            if isinstance(item, h5py.Dataset) and item.shape == (3, 2)
            else None
        )
    )
    return names[0]


@pytest.mark.parametrize("attack", ["external link", "shape bomb"])
def test_weights_that_point_or_expand(attack, model, tmp_path):
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.full((3, 2), 7, "float32")
    with h5py.File(path, "a") as file:
        name = kernel(file)
        del file[name]
        if attack == "external link":
            file[name] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")
        else:
            file.create_dataset(name, (10**7, 10**7), "float32", chunks=(16, 16))
    with pytest.raises(Exception) as caught:  # noqa: B017, Keras has several
        model.load_weights(path)
    assert not isinstance(caught.value, MemoryError)
    assert not (model.get_weights()[0] == 7).any()


def test_a_file_that_was_cut(saved):
    data = saved.read_bytes()
    saved.write_bytes(data[: len(data) // 2])
    with pytest.raises((ValueError, OSError)):
        keras.models.load_model(saved)


def test_an_archive_that_climbs_or_points_outward(tmp_path, monkeypatch):
    inside = tmp_path / "cache" / "datasets"
    inside.mkdir(parents=True)
    (tmp_path / "x.txt").write_text("x")
    with tarfile.open(inside / "archive.tar", "w") as file:
        file.add(tmp_path / "x.txt", "../../climbed.txt")
        link = tarfile.TarInfo("outward")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        file.addfile(link)
    shutil.copy(inside / "archive.tar", tmp_path / "archive.tar")
    try:
        keras.utils.get_file(
            "archive.tar",
            origin=(tmp_path / "archive.tar").as_uri(),
            extract=True,
            cache_dir=str(tmp_path / "cache"),
        )
    except Exception as error:  # noqa: BLE001, a refusal of any kind will do
        assert not isinstance(error, AssertionError)
    assert not list(tmp_path.rglob("climbed.txt"))
    links = [path for path in tmp_path.rglob("*") if path.is_symlink()]
    assert all(os.path.realpath(p).startswith(str(tmp_path)) for p in links)


def test_nan_is_read_without_a_word_so_we_look_ourselves(model, tmp_path):
    model.set_weights([np.full((3, 2), np.nan), np.zeros(2)])
    model.save_weights(tmp_path / "model.weights.h5")
    other = keras.models.clone_model(model)
    other.load_weights(tmp_path / "model.weights.h5")
    # If Keras begins to refuse it, our own check may say so, too.
    assert np.isnan(other.get_weights()[0]).all()
