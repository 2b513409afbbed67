"""The CRF inside of models: training, compiling, options, saving."""

import inspect
import json
import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
from keras import ops

from zoo.layers import CRF

BACKEND = keras.backend.backend()
BATCH, TIME, TAGS = 5, 6, 5
NAMES = ["O", "B-per", "I-per", "B-loc", "I-loc"]
# Uncompiled, JAX would compile each loop anew in each call.
COMPILED = {"tensorflow": [False, True], "jax": [True], "torch": [False]}[BACKEND]


def data(seed=0, scale=2.0):
    rng = np.random.default_rng(seed)
    logits = (scale * rng.normal(size=(BATCH, TIME, TAGS))).astype("float32")
    tags = rng.integers(0, TAGS, (BATCH, TIME)).astype("int32")
    mask = np.ones((BATCH, TIME), "bool")
    mask[1, 3:] = mask[2, :2] = mask[2, 4] = mask[3, 1:3] = mask[4] = False
    return logits, tags, mask


def made(**options):
    keras.utils.set_random_seed(1)
    options = {"transition_initializer": "glorot_normal", **options}
    crf = CRF(TAGS, **options)
    crf.build((None, None, TAGS))
    return crf


def array(x):
    return ops.convert_to_numpy(x)


def models(crf, features=3):
    """One CRF in a training model, whose output is the loss, and a decoding one."""
    x = keras.Input((None, features), name="x")
    tags = keras.Input((None,), dtype="int32", name="tags")
    mask = keras.Input((None,), dtype="bool", name="mask")
    logits = keras.layers.Dense(TAGS, name="logits")(x)
    loss = crf(logits, tags=tags, mask=mask)
    decoded = crf(logits, mask=mask), crf(logits, mask=mask, marginals=True)
    return (
        keras.Model({"x": x, "tags": tags, "mask": mask}, loss),
        keras.Model({"x": x, "mask": mask}, decoded),
    )


def mean_loss(_, loss):
    return ops.mean(loss)


class TestTraining:
    @pytest.mark.parametrize("jit", COMPILED)
    def test_compiled_equals_eager(self, jit):
        crf, (logits, tags, mask) = made(), data()
        loss, decoder = models(crf, TAGS)
        for model in (loss, decoder):
            model.compile(loss=mean_loss, optimizer="sgd", jit_compile=jit)
        x = {"x": logits, "tags": tags, "mask": mask}
        got = loss.predict(x, verbose=0)
        np.testing.assert_allclose(got, array(loss(x)), rtol=1e-5, atol=1e-5)
        del x["tags"]
        for a, b in zip(decoder.predict(x, verbose=0), decoder(x), strict=True):
            np.testing.assert_allclose(a, array(b), atol=1e-5)

    @pytest.mark.parametrize("jit", COMPILED)
    def test_learns_what_only_transitions_tell(self, jit):
        # Every second tag is visible, the others follow from the one before.
        rng = np.random.default_rng(0)
        tags = np.zeros((64, 8), "int32")
        tags[:, ::2] = rng.integers(0, 2, (64, 4))
        tags[:, 1::2] = tags[:, ::2] + 3
        x = np.eye(3, dtype="float32")[np.where(np.arange(8) % 2, 2, tags)]
        mask = np.ones(tags.shape, "bool")
        loss, decoder = models(made())
        adam = keras.optimizers.Adam(0.1)
        loss.compile(loss=mean_loss, optimizer=adam, jit_compile=jit)
        inputs = {"x": x, "tags": tags, "mask": mask}
        loss.fit(inputs, np.zeros(64), epochs=15, verbose=0)
        del inputs["tags"]
        got, chances = decoder.predict(inputs, verbose=0)
        np.testing.assert_array_equal(got, tags)
        np.testing.assert_array_equal(chances.argmax(-1), tags)

    def test_other_batch_and_time_sizes_in_one_model(self):
        crf, (logits, tags, mask) = made(), data()
        loss, _ = models(crf, TAGS)
        loss.compile(loss=mean_loss, optimizer="sgd", jit_compile=COMPILED[0])
        for rows, steps in ((5, 6), (2, 3), (1, 1)):
            x = {"x": logits, "tags": tags, "mask": mask}
            x = {name: value[:rows, :steps] for name, value in x.items()}
            want = array(loss(x)).mean()
            got = loss.train_on_batch(x, np.zeros(rows))
            np.testing.assert_allclose(got, want, rtol=1e-5)

    def test_step_follows_the_marginals(self):
        # d loss / d logits = marginals - one hot, seen through a bias of the logits.
        crf, (logits, tags, mask) = made(trainable=False), data()
        loss, decoder = models(crf, TAGS)
        x = {"x": logits, "tags": tags, "mask": mask}
        dense = loss.get_layer("logits")
        before = array(dense.bias)
        chances = array(decoder({"x": logits, "mask": mask})[1])
        want = (chances - np.eye(TAGS)[tags] * mask[..., None]).sum((0, 1)) / BATCH
        sgd = keras.optimizers.SGD(1.0)
        loss.compile(loss=mean_loss, optimizer=sgd, jit_compile=False)
        loss.train_on_batch(x, np.zeros(BATCH))
        np.testing.assert_allclose(before - array(dense.bias), want, atol=1e-5)

    @pytest.mark.skipif(BACKEND == "jax", reason="float64 is off by default on JAX")
    def test_gradient_equals_finite_differences(self):
        keras.utils.set_random_seed(0)
        options = {"tag_names": NAMES, "constrain_likelihood": True}
        crf = CRF(
            TAGS, dtype="float64", transition_initializer="glorot_normal", **options
        )
        logits, _, mask = data()
        tags = array(crf(logits, mask=mask))
        before = [array(w) for w in crf.weights]
        x = keras.Input((TIME, TAGS), dtype="float64")
        seen = keras.Input((TIME,), dtype="bool")
        given = keras.Input((TIME,), dtype="int32")
        model = keras.Model([x, seen, given], crf(x, tags=given, mask=seen))
        sgd = keras.optimizers.SGD(1.0)
        model.compile(loss=mean_loss, optimizer=sgd, jit_compile=False)
        inputs = [logits.astype("float64"), mask, tags]
        model.train_on_batch(inputs, np.zeros(BATCH))
        steps = [a - array(w) for a, w in zip(before, crf.weights, strict=True)]
        rng = np.random.default_rng(0)
        ways = [rng.normal(size=w.shape) for w in before]

        def at(e):
            crf.set_weights([w + e * v for w, v in zip(before, ways, strict=True)])
            return array(crf(inputs[0], tags=tags, mask=mask)).mean()

        want = (at(1e-5) - at(-1e-5)) / 2e-5
        got = sum((s * v).sum() for s, v in zip(steps, ways, strict=True))
        # Keras averages its loss in float32.
        np.testing.assert_allclose(got, want, rtol=1e-6)

    @pytest.mark.skipif(BACKEND == "torch", reason="torch checks values always")
    def test_tags_out_of_range_in_compiled_code(self):
        crf, (logits, tags, mask) = made(), data()
        tags[2, 3] = TAGS
        loss, _ = models(crf, TAGS)
        got = loss.predict({"x": logits, "tags": tags, "mask": mask}, verbose=0)
        np.testing.assert_array_equal(np.isnan(got), [False, False, True, False, False])


class TestConfig:
    options = {
        "tag_names": NAMES,
        "constrain_likelihood": True,
        "use_boundaries": False,
        "transition_initializer": "glorot_normal",
        "transition_regularizer": "l2",
    }

    def test_keeps_every_option(self):
        named = set(inspect.signature(CRF.__init__).parameters)
        assert named - {"self", "num_tags", "kwargs"} == set(self.options)
        crf = CRF(TAGS, name="tagger", dtype="float64", **self.options)
        config = json.loads(json.dumps(crf.get_config()))
        again = CRF.from_config(config)
        assert again.get_config() == crf.get_config()
        assert (again.name, again.dtype) == ("tagger", "float64")
        assert again.num_tags == TAGS
        assert list(again.tag_names) == NAMES
        assert again.constrain_likelihood and not again.use_boundaries
        assert isinstance(again.transition_initializer, keras.initializers.GlorotNormal)
        assert isinstance(again.transition_regularizer, keras.regularizers.L2)

    def test_regularizer_counts(self):
        crf = made(transition_regularizer=keras.regularizers.L2(0.1))
        want = 0.1 * np.sum(array(crf.transitions) ** 2)
        np.testing.assert_allclose(array(sum(crf.losses)), want, rtol=1e-5)

    def test_symbolic_shapes(self):
        crf = made()
        logits = keras.Input((None, TAGS))
        tags = keras.Input((None,), dtype="int32")
        assert crf(logits).shape == (None, None)
        assert keras.backend.standardize_dtype(crf(logits).dtype) == "int32"
        assert crf(logits, tags=tags).shape == (None,)
        assert crf(logits, marginals=True).shape == (None, None, TAGS)


class TestSaving:
    def test_loads_in_a_fresh_process(self, tmp_path):
        loss, decoder = models(made(tag_names=NAMES), TAGS)
        logits, tags, mask = data()
        x = {"x": logits, "tags": tags, "mask": mask}
        loss.save(tmp_path / "loss.keras")
        decoder.save(tmp_path / "decoder.keras")
        np.savez(tmp_path / "x.npz", **x)
        script = """
            import sys, keras, numpy as np, zoo.layers
            folder = sys.argv[1]
            x = dict(np.load(folder + "/x.npz"))
            loss = keras.models.load_model(folder + "/loss.keras")(x)
            del x["tags"]
            tags, _ = keras.models.load_model(folder + "/decoder.keras")(x)
            to_numpy = keras.ops.convert_to_numpy
            np.savez(folder + "/y.npz", loss=to_numpy(loss), tags=to_numpy(tags))
        """
        run = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert run.returncode == 0, run.stderr
        got = np.load(tmp_path / "y.npz")
        np.testing.assert_allclose(got["loss"], array(loss(x)), rtol=1e-6)
        del x["tags"]
        np.testing.assert_array_equal(got["tags"], array(decoder(x)[0]))
