"""A preset made by hand: small, sound, and read without Keras."""

import hashlib
import json

import h5py
import numpy as np

import zoo


@zoo.preset.loadable
class Toy:
    """Stands for a task: takes options, holds what it was made from."""

    def __init__(self, units, labels=("A", "B")):
        self.units, self.labels = units, list(labels)
        if not 0 < units < 1000:
            raise ValueError(f"units must be in 1 ... 999; got {units}.")

    @classmethod
    def from_preset(cls, preset, **overrides):
        toy = cls(**{**preset.options, **overrides})
        toy.preset, toy.model = preset, FakeModel()
        preset.load_weights(toy.model)
        return toy


class FakeVariable:
    def __init__(self, path, shape):
        self.path, self.shape, self.dtype = path, shape, "float32"
        self.value = np.zeros(shape, "float32")

    def assign(self, value):
        self.value = np.array(value, "float32")


class FakeModel:
    """What weights are read into."""

    def __init__(self):
        self.weights = [FakeVariable("dense/kernel", (4, 2))]
        self.weights.append(FakeVariable("dense/bias", (2,)))


def sign(folder):
    """Writes SHA256SUMS over whatever lies in a folder, as an attacker could."""
    lines = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "SHA256SUMS":
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    (folder / "SHA256SUMS").write_text("".join(lines))


def build_preset(folder, **options):
    """Makes a sound preset folder of class `Toy`."""
    (folder / "assets").mkdir(parents=True)
    kernel = np.arange(8, dtype="float32").reshape(4, 2)
    with h5py.File(folder / "model.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = kernel
        file["layers/dense/vars/1"] = np.ones(2, "float32")
    config = {
        "format": 1,
        "class": f"{Toy.__module__}.Toy",
        "options": {"units": 3, **options},
        "versions": {"recurrent-zoo": "0.1.0"},
        "weights": [
            {"path": "dense/kernel", "shape": [4, 2], "dataset": "layers/dense/vars/0"},
            {"path": "dense/bias", "shape": [2], "dataset": "layers/dense/vars/1"},
        ],
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "README.md").write_text('---\ntask: "toy"\n---\n\n# A toy\n')
    (folder / "examples.json").write_text('[{"input": "x", "output": "y"}]')
    (folder / "assets" / "words.txt").write_text("one\ntwo\n")
    sign(folder)
    return folder
