import subprocess
import sys

import keras
import numpy as np
import pytest

from tests.backend import numbers
from tests.contract import LayerContract, close
from zoo.layers.tied_softmax import TiedSoftmax

WORDS, SIZE = 9, 4
LOADS = """
import pathlib, sys
import keras, numpy as np
import zoo.layers.tied_softmax
folder = pathlib.Path(sys.argv[1])
model = keras.models.load_model(folder / "model.keras")
logits = model(np.load(folder / "tokens.npy"))
np.save(folder / "logits.npy", keras.ops.convert_to_numpy(logits))
"""


class TestTiedSoftmax(LayerContract):
    layer_class = TiedSoftmax
    required = {"embedding": keras.layers.Embedding(WORDS, SIZE, name="words")}
    options = {
        "embedding": keras.layers.Embedding(11, 5, name="words"),
        "projection": True,
        "use_bias": False,
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=1),
        "bias_initializer": keras.initializers.Constant(0.5),
        "kernel_regularizer": keras.regularizers.L2(0.01),
    }

    def make(self, **options):
        return TiedSoftmax(
            **{"embedding": keras.layers.Embedding(WORDS, SIZE), **options}
        )

    def model(self, **options):
        """Words, embedded, to logits: one matrix twice, and one more Dense layer."""
        embedding = keras.layers.Embedding(WORDS, SIZE)
        tokens = keras.Input((None,), dtype="int32")
        hidden = keras.layers.Dense(SIZE + 1)(embedding(tokens))
        layer = TiedSoftmax(embedding, projection=True, **options)
        model = keras.Model(tokens, layer(hidden))
        rng = np.random.default_rng(1)
        model.set_weights([rng.normal(size=w.shape) for w in model.weights])
        return model, [np.array([[0, 1, 8], [2, 2, 3]], "int32")]

    def test_saves_and_loads_in_a_fresh_process(self, tmp_path):
        """As a `.keras` file: JSON knows no shared layers."""
        model, (tokens,) = self.model()
        model.save(tmp_path / "model.keras")
        wanted, before = numbers(model(tokens))[0], model.count_params()
        loaded = keras.models.load_model(tmp_path / "model.keras")
        close(numbers(loaded(tokens))[0], wanted, 1e-6)
        assert loaded.count_params() == before
        np.save(tmp_path / "tokens.npy", tokens)
        subprocess.run([sys.executable, "-c", LOADS, tmp_path], check=True)
        close(np.load(tmp_path / "logits.npy"), wanted, 1e-6)

    def test_it_is_still_shared_after_loading(self, tmp_path):
        model, (tokens,) = self.model()
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        embedding = next(x for x in loaded.layers if hasattr(x, "embeddings"))
        (tied,) = [x for x in loaded.layers if isinstance(x, TiedSoftmax)]
        assert tied.embedding is embedding

    def test_weights_alone_load_into_the_same_code(self, tmp_path):
        model, (tokens,) = self.model()
        model.save_weights(tmp_path / "model.weights.h5")
        other, _ = self.model(bias_initializer="ones")
        other.set_weights([0 * w for w in other.get_weights()])
        other.load_weights(tmp_path / "model.weights.h5")
        close(numbers(other(tokens)), numbers(model(tokens)), 1e-6)

    def test_equals_the_equation(self):
        rng = np.random.default_rng(0)
        for options, features in (({}, SIZE), ({"projection": True}, 3)):
            layer = self.make(**options)
            layer.build((None, None, features))
            layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
            weights = {w.name: numbers(w)[0].astype("float64") for w in layer.weights}
            inputs = rng.normal(size=(2, 5, features)).astype("float32")
            hidden = inputs @ weights.get("kernel", np.eye(features))
            wanted = hidden @ weights["embeddings"].T + weights["bias"]
            close(numbers(layer(inputs))[0], wanted)
            close(numbers(layer(inputs[:, 0]))[0], wanted[:, 0])

    def test_the_matrix_is_one_variable(self):
        model, _ = self.model()
        shapes = [tuple(w.shape) for w in model.trainable_variables]
        assert shapes.count((WORDS, SIZE)) == 1
        assert len(shapes) == 5  # and a Dense layer's two, P and b

    def test_both_uses_train_it(self):
        model, (tokens,) = self.model()
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=1))
        (embedding,) = [x for x in model.layers if hasattr(x, "embeddings")]
        (before,) = numbers(embedding.embeddings)
        model.fit(tokens, tokens, verbose=0)
        (after,) = numbers(embedding.embeddings)
        assert (before != after).all()  # rows of words that were not embedded too

    def test_half_precision(self):
        layer = self.make(dtype="mixed_bfloat16")
        logits = layer(np.ones((2, SIZE), "float32"))
        assert keras.backend.standardize_dtype(logits.dtype) == "bfloat16"

    def test_masks_travel_on(self):
        embedding = keras.layers.Embedding(WORDS, SIZE, mask_zero=True)
        layer = TiedSoftmax(embedding, use_bias=False)
        tokens = np.array([[1, 0]])
        logits = layer(embedding(tokens), mask=tokens != 0)
        close(numbers(logits), numbers(layer(embedding(tokens))), 1e-6)

    def test_regularizer(self):
        layer = self.make(
            projection=True,
            kernel_initializer="ones",
            kernel_regularizer=keras.regularizers.L2(0.5),
        )
        layer.build((None, 3))
        close(numbers(layer.losses), [np.array(0.5 * 3 * SIZE)])

    def test_bad_embeddings(self):
        with pytest.raises(ValueError, match="'words' .TiedSoftmax. shares.*Received"):
            TiedSoftmax(keras.layers.Dense(3), name="words")

    def test_bad_inputs(self):
        layer = self.make(name="words")
        with pytest.raises(ValueError, match="'words'.*projection=True, of any"):
            layer(np.zeros((2, SIZE + 1), "float32"))
        layer(np.zeros((2, SIZE), "float32"))
        with pytest.raises(ValueError, match=f"'words'.*built for {SIZE} features"):
            layer(np.zeros((2, SIZE + 1), "float32"))
