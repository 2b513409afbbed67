"""The model of a language: an embedding, a recurrent stack, and a softmax."""

import keras
from keras import layers, ops

from tasks.losses import RowShare, token_losses
from tasks.sampled_softmax import SampledLosses
from tasks.training import Compiled
from zoo.layers import ActivationRegularization, Stack, TiedSoftmax
from zoo.layers.recurrent import check_rate
from zoo.ops.dropout import dropout_mask


class LanguageModelParts:
    """The layers of a language model, and the Keras models made of them.

    Args:
        vocabulary_size: Number of ids.
        options: Dict of the options of `tasks.language_modeling.LanguageModel`.

    Attributes:
        model: From `token_ids` and `mask` `(batch, time)` to `{"logits": (batch, time,
            vocabulary)}`; each row begins with an empty state.
        scoring_model: From these, `targets` and the states to the negative
            log-likelihood of each target `(batch, time)`, whether it was thought the
            likeliest, and the new states.
    """

    def __init__(self, vocabulary_size, options):
        # === Layers ===
        size = options["embedding_dim"]
        self.embedding = layers.Embedding(
            vocabulary_size,
            size,
            embeddings_initializer=keras.initializers.RandomUniform(-0.1, 0.1),
            name="token_embedding",
        )
        self.embedding_dropout = EmbeddingDropout(
            vocabulary_size, options["embedding_dropout"], name="embedding_dropout"
        )
        self.input_dropout = _locked(options["input_dropout"], "input_dropout")
        self.stack = Stack.of(
            options["layer"],
            options["units"],
            options["num_layers"],
            return_sequences=True,
            return_state=True,
            connection=options["connection"],
            dropout=options["hidden_dropout"],
            layer_options=options["layer_options"],
            name="encoder",
        )
        self.tar = ActivationRegularization(tar=options["tar"], name="tar")
        self.output_dropout = _locked(options["output_dropout"], "output_dropout")
        self.ar = ActivationRegularization(ar=options["ar"], name="ar")
        if options["tied"]:
            project = self.stack.output_size != size or None
            self.head = TiedSoftmax(
                self.embedding, projection=bool(project), name="logits"
            )
        else:
            self.head = layers.Dense(vocabulary_size, name="logits")
        self.sampled = None
        if options["sampled"]:
            self.sampled = SampledLosses(
                self.head, vocabulary_size, options["sampled"], name="sampled"
            )
        # === Functional models ===
        self.model = self._answering()
        self.scoring_model = self._scoring()

    def _answering(self):
        inputs = _inputs("token_ids", "mask")
        y, *_ = self.stack(self.embed(inputs["token_ids"]), mask=inputs["mask"])
        return keras.Model(inputs, {"logits": self.logits(y)}, name="language_model")

    def _scoring(self):
        inputs = _inputs("token_ids", "mask", "targets")
        states = {
            f"state_{i}": keras.Input((n,), name=f"state_{i}")
            for i, n in enumerate(self.stack.state_sizes)
        }
        y, *new = self.stack(
            self.embed(inputs["token_ids"]),
            mask=inputs["mask"],
            initial_state=list(states.values()),
        )
        logits, targets, mask = self.logits(y), inputs["targets"], inputs["mask"]
        likeliest = ops.cast(ops.argmax(logits, -1), "int32")
        hits = ops.logical_and(mask, ops.equal(likeliest, targets))
        answers = {
            "losses": token_losses(logits, targets, mask),
            "hits": ops.cast(hits, "float32"),
            **dict(zip(states, new, strict=True)),
        }
        return keras.Model({**inputs, **states}, answers, name="scoring")

    def embed(self, token_ids):
        """Vectors of tokens, `(..., embedding_dim)`."""
        x = self.embedding_dropout(self.embedding(token_ids), token_ids)
        return self.input_dropout(x)

    def logits(self, y):
        """Logits of outputs of the stack, float32."""
        return ops.cast(self.head(self.output_dropout(y)), "float32")

    def training_model(self, rows, still=False):
        """A model that trains on `StreamBatches` of so many rows.

        It shares all layers, carries the stack's states from batch to batch, and
        returns each row's share of the loss: their mean is the mean over the tokens
        of the batch.

        Args:
            rows: int.
            still: Whether to do without dropout, zoneout and penalties.
        """
        inputs = _inputs("token_ids", "mask", "targets", rows=rows)
        fresh = keras.Input(batch_shape=(rows,), dtype="bool", name="fresh")
        carried = CarriedStack(self.stack, rows, name="carried")
        mask = inputs["mask"]
        y = carried(self.embed(inputs["token_ids"]), mask=mask, fresh=fresh)
        if not still:
            y = self.output_dropout(self.tar(y, mask=mask))
            y = self.ar(y, mask=mask)
        losses = self._losses(y, inputs["targets"], mask, sampled=not still)
        made = _Still if still else Compiled
        share = RowShare(name="row_share")(losses, mask)
        return made({**inputs, "fresh": fresh}, share, name="training")

    def _losses(self, y, targets, mask, sampled):
        if self.sampled is not None and sampled:
            return self.sampled(y, targets, mask=mask)
        return token_losses(ops.cast(self.head(y), "float32"), targets, mask)


def distributed_training_model(parts, rows, strategy, shard):
    """The model that trains, for so many streams on all devices together.

    Args:
        parts: `LanguageModelParts`.
        rows: int, streams of the whole batch.
        strategy: `tasks.strategies.Strategy`, or `None`.
        shard: See `tasks.task.Task`.

    Raises:
        ValueError: If the streams cannot be dealt out evenly.
    """
    if strategy is None or keras.backend.backend() != "tensorflow":
        return parts.training_model(rows)
    devices = strategy.replicas // (strategy.workers if shard == "off" else 1)
    if rows % devices:
        raise ValueError(
            f"Streams go on from batch to batch, each on its own device: with "
            f"{devices} devices `batch_size` must be a multiple of {devices}. "
            f"Received: {rows}"
        )
    with strategy.scope():
        return parts.training_model(rows // devices)


class _Still(keras.Model):
    """Trains as it answers: nothing is random."""

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=False, mask=mask)


def _inputs(*names, rows=None):
    dtypes = {"mask": "bool"}
    return {
        name: keras.Input(
            batch_shape=(rows, None), dtype=dtypes.get(name, "int32"), name=name
        )
        for name in names
    }


def _locked(rate, name):
    """Variational dropout: one mask for all steps of a row."""
    return layers.Dropout(rate, noise_shape=(None, 1, None), name=name)


@keras.saving.register_keras_serializable(package="tasks")
class EmbeddingDropout(layers.Layer):
    """Drops whole tokens: all vectors of a dropped one, everywhere in a batch.

    Args:
        vocabulary_size: Number of ids.
        rate: Part of the vocabulary to drop in training; the rest is scaled up.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: Vectors `(batch, time, size)`.
        token_ids: Integers `(batch, time)`, whose vectors these are.

    Reference:
        - Gal and Ghahramani, [A theoretically grounded application of dropout in
          recurrent neural networks](https://arxiv.org/abs/1512.05287), 2016
    """

    def __init__(self, vocabulary_size, rate, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.rate = check_rate(self.name, "rate", rate)
        self.seed_generator = keras.random.SeedGenerator()
        self.supports_masking = True
        self.built = True

    def call(self, inputs, token_ids, training=None):
        if not training or not self.rate:
            return inputs
        shape = (1, self.vocabulary_size)
        kept = dropout_mask(self.rate, shape, self.seed_generator, inputs.dtype)[0]
        return inputs * ops.expand_dims(ops.take(kept, token_ids), -1)

    def compute_output_shape(self, input_shape, *_):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "rate": self.rate,
        }


@keras.saving.register_keras_serializable(package="tasks")
class CarriedStack(layers.Layer):
    """Runs a stack, and begins each call with the states the last one ended in.

    The states are variables, so a checkpoint of the model holds them. No gradient goes
    from call to call: this is truncated backpropagation through time.

    Args:
        stack: `zoo.layers.Stack` with `return_state=True`.
        rows: Number of rows of every batch.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `(rows, time, features)`.
        mask: Boolean `(rows, time)`.
        fresh: Boolean `(rows,)`, true for rows that begin with an empty state.
    """

    def __init__(self, stack, rows, **kwargs):
        super().__init__(**kwargs)
        self.stack, self.rows = stack, rows
        self.supports_masking = True

    def build(self, input_shape, *_, **__):
        if not self.stack.built:
            self.stack.build(input_shape)
        self.states = [
            keras.Variable(
                keras.initializers.Zeros(),
                shape=(self.rows, n),
                dtype="float32",
                trainable=False,
                autocast=False,
                # Each device that trains along carries those of its own rows.
                synchronization="on_read",
                name=f"state_{i}",
            )
            for i, n in enumerate(self.stack.state_sizes)
        ]
        self.built = True

    def call(self, inputs, mask=None, fresh=None, training=None):
        fresh = ops.expand_dims(fresh, -1)
        state = [ops.where(fresh, 0.0, ops.convert_to_tensor(s)) for s in self.states]
        y, *new = self.stack(inputs, mask=mask, initial_state=state, training=training)
        for variable, value in zip(self.states, new, strict=True):
            variable.assign(ops.stop_gradient(value))
        return y

    def compute_output_spec(self, inputs, mask=None, fresh=None, training=None):
        return self.stack.compute_output_spec(inputs, mask)[0]

    def get_config(self):
        stack = keras.saving.serialize_keras_object(self.stack)
        return {**super().get_config(), "stack": stack, "rows": self.rows}

    @classmethod
    def from_config(cls, config):
        stack = keras.saving.deserialize_keras_object(config["stack"])
        return cls(**{**config, "stack": stack})
