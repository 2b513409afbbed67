"""Pretrains the encoder of a tagger as a language model, in both directions.

The forward LSTM of each word guesses the next word, the backward one the word before,
among words drawn at random (sampled softmax). What they learn of plain text, a tagger
starts from.

References:
    - Peters et al., Semi-supervised sequence tagging with bidirectional language
      models, 2017, https://arxiv.org/abs/1705.00108
    - Jean et al., On using very large target vocabulary for neural machine
      translation, 2015, https://arxiv.org/abs/1412.2007
"""

import json
import math
from collections import Counter
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from tasks.data.batches import FollowEpochs
from tasks.data.corpora import UNKNOWN, read_corpus
from tasks.data.features import WordFeatures
from tasks.data.pipeline import as_dataset
from tasks.data.vectors import compress
from tasks.data.vocabulary import RESERVED, UNKNOWN_ID, Vocabulary
from tasks.data.words import normalize
from tasks.encoders import encode_words, recurrent_encoder, word_inputs
from tasks.resume import Resume
from tasks.schedules import Schedule

TOKENS_PER_BATCH = 2048
LENGTHS = (8, 16, 32, 64)
GLOVE = "glove_50d_5k/glove-50d-5k.json"
# Layers that a tagger takes over. (Id 0 stands for the border of a sentence.)
SHARED = (
    "word_embedding",
    "word_vectors",
    "character_encoder",
    "casing_embedding",
    "encoder",
)


class SampledLanguageModel(layers.Layer):
    """Loss of guessing words from states, with the input embedding as output weights.

    Args:
        embedding: `Embedding` layer of the words, most frequent first.
        samples: Number of wrong words to tell the right one from; the same for all
            words of a batch, drawn by Zipf's law.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        states: `(batch, time, 2 * units)`, forward and backward.
        next_ids, previous_ids: Integers `(batch, time)`.
        mask: Boolean `(batch, time)`.

    Returns:
        Negative log-likelihood of each row's words, `(batch,)`.
    """

    def __init__(self, embedding, samples, **kwargs):
        super().__init__(**kwargs)
        self.embedding = embedding
        self.samples = samples
        self.size = embedding.input_dim
        dim = embedding.output_dim
        self.forward_output = layers.Dense(dim, name="forward_output")
        self.backward_output = layers.Dense(dim, name="backward_output")
        self.seed_generator = keras.random.SeedGenerator()
        self.supports_masking = True

    def build(self, states_shape, *_):
        half = (*states_shape[:-1], states_shape[-1] // 2)
        self.forward_output.build(half)
        self.backward_output.build(half)
        self.bias = self.add_weight(
            shape=(self.size,), initializer="zeros", name="bias"
        )
        self.built = True

    def call(self, states, next_ids, previous_ids, mask):
        forward, backward = ops.split(states, 2, -1)
        table = ops.convert_to_tensor(self.embedding.embeddings)
        drawn = self._draw()
        after, before = (ops.cast(x, "int32") for x in (next_ids, previous_ids))
        loss = self._loss(self.forward_output(forward), after, drawn, table)
        loss += self._loss(self.backward_output(backward), before, drawn, table)
        return ops.sum(ops.where(mask, loss, 0.0), 1) / 2

    def _draw(self):
        uniform = keras.random.uniform((self.samples,), seed=self.seed_generator)
        rank = ops.cast(ops.exp(uniform * math.log(self.size)), "int32") - 1
        rank = ops.clip(rank, 0, self.size - 2)
        return rank + ops.cast(rank > 0, "int32")  # the unknown word is never drawn

    def _expected(self, ids):
        """Logarithm of how often a word is among the drawn ones."""
        rank = ops.cast(ops.maximum(ids - 1, 0), "float32")
        chance = ops.log((rank + 2) / (rank + 1)) / math.log(self.size)
        return ops.log(self.samples * chance)

    def _loss(self, outputs, ids, drawn, table):
        bias = ops.convert_to_tensor(self.bias)
        right = ops.sum(outputs * ops.take(table, ids, 0), -1) + ops.take(bias, ids)
        right -= self._expected(ids)
        wrong = ops.matmul(outputs, ops.transpose(ops.take(table, drawn, 0)))
        wrong += ops.take(bias, drawn) - self._expected(drawn)
        hit = ops.expand_dims(ids, -1) == drawn
        wrong = ops.where(hit, -1e9, wrong)
        every = ops.logaddexp(right, ops.logsumexp(wrong, -1))
        return ops.where(ids == UNKNOWN_ID, 0.0, every - right)

    def compute_output_shape(self, states_shape, *_, **__):
        return (states_shape[0],)

    def compute_mask(self, *_, **__):
        return None  # one loss a row: nothing left to mask


class Sentences(keras.utils.PyDataset):
    """Batches of about as many tokens each, of few lengths; order by (seed, epoch).

    An epoch is one of `parts` of a pass, so that long passes can be resumed inside.
    """

    def __init__(self, sentences, features, seed=0, parts=1, own_words=None):
        super().__init__()
        self.own_words = own_words
        self.features, self.seed, self.parts, self.epoch = features, seed, parts, 0
        lengths = np.array([len(s) for s in sentences])
        self.sentences = sentences
        self.buckets = np.searchsorted(LENGTHS, lengths)
        self._plan = (None, None)

    def plan(self):
        whole, part = divmod(self.epoch, self.parts)
        number, plan = self._plan  # once: a thread that prefetches may replace it
        if number != whole:
            random = np.random.default_rng([self.seed, whole])
            plan = []
            for bucket, length in enumerate(LENGTHS):
                rows = random.permutation(np.flatnonzero(self.buckets == bucket))
                size = TOKENS_PER_BATCH // length
                for start in range(0, len(rows) - size + 1, size):
                    plan.append((length, rows[start : start + size]))
            random.shuffle(plan)
            self._plan = (whole, plan)
        size = len(plan) // self.parts
        return plan[part * size : (part + 1) * size]

    def __len__(self):
        return len(self.plan())

    def __getitem__(self, index):
        length, rows = self.plan()[index]
        inputs = self.features.encode([self.sentences[i] for i in rows], length)
        ids, mask = inputs["word_ids"], inputs["mask"]
        if self.own_words is not None:
            ids = np.where(ids < self.own_words + RESERVED, ids, UNKNOWN_ID)
        inputs["next_ids"] = np.pad(ids[:, 1:], ((0, 0), (0, 1)))
        inputs["previous_ids"] = np.pad(ids[:, :-1], ((0, 0), (1, 0)))
        # Loss per token, so that batches of all lengths weigh the same.
        return inputs, np.full(len(rows), mask.sum() / len(rows), "float32")


def build(options, samples=1024):
    """The tagger's word vectors and encoder, with the loss of a language model."""
    inputs = word_inputs(options["word_length"])
    x = encode_words(
        inputs,
        **{k: v for k, v in options.items() if k not in ("word_length", "units")},
    )
    states = recurrent_encoder(options["units"])(x, mask=inputs["mask"])
    states = layers.Dropout(options["dropout"])(states)
    targets = {
        name: keras.Input((None,), dtype="int32", name=name)
        for name in ("next_ids", "previous_ids")
    }
    embedding = find_layer(x, "word_embedding")
    loss = SampledLanguageModel(embedding, samples, name="language_model")(
        states, targets["next_ids"], targets["previous_ids"], inputs["mask"]
    )
    return keras.Model({**inputs, **targets}, loss)


def find_layer(tensor, name):
    """The layer of that name among those that a symbolic tensor came from."""
    model = keras.Model(keras.utils.get_source_inputs(tensor), tensor)
    return model.get_layer(name)


def per_token(tokens, loss):
    """Loss of a row over the mean number of tokens of a row."""
    return ops.reshape(loss, (-1,)) / ops.reshape(tokens, (-1,))


def vocabularies(sentences, min_count, max_size, first=()):
    """Vocabularies of normalised words and of characters, frequent first.

    Args:
        first: Words that are in, however rare.
    """
    words = Counter(normalize(t) for s in sentences for t in s if t != UNKNOWN)
    for word in first:
        words[word] = max(words[word], min_count)
    characters = Counter(c for s in sentences for t in s for c in t if t != UNKNOWN)
    return (
        Vocabulary.build(words, min_count, max_size),
        Vocabulary.build(characters, min_count=20),
    )


def glove_words(data_dir):
    """The words that GloVe has vectors of, in `data_dir`."""
    with open(Path(data_dir) / GLOVE, encoding="utf-8") as file:
        return list(json.load(file))


def glove(path, words, dim, seed=0):
    """Initial embedding: GloVe in the first dimensions where it has the word.

    Args:
        path: JSON file of words and vectors.
        words: `Vocabulary`.
        dim: Size of the embedding, at least that of GloVe.
    """
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    table = np.random.default_rng(seed).normal(0, 0.1, (len(words), dim))
    known = [w for w in words.items if w in vectors]
    size = len(vectors[known[0]])
    found = np.array([vectors[w] for w in known])
    table[words.ids(known), :size] = 0.1 * (found - found.mean(0)) / found.std(0)
    return table.astype("float32")


def vectors_for(vocabulary, words, vectors, groups):
    """Compressed vectors for a vocabulary: codes and centroids.

    Words without a vector, padding and unknown words get zeros.
    """
    codes, centroids = compress(vectors, groups)
    table = np.zeros((len(vocabulary), groups), "uint8")
    table[vocabulary.ids(words)] = codes
    table[:RESERVED] = 0
    return table, centroids


def pretrain(
    corpora,
    data_dir,
    folder,
    *,
    passes,
    decay_passes=None,
    parts=4,
    limit=None,
    vocabulary_size=20000,
    min_count=2,
    units=200,
    learning_rate=2e-3,
    dropout=0.2,
    seed=0,
    verbose=2,
    extra_words=(),
    vectors=None,
    **sizes,
):
    """Trains on some corpora and writes the encoder into a folder.

    Args:
        corpora: Names, see `tasks.data.corpora.CORPORA`.
        data_dir: Folder with the data sets.
        folder: Where the result and the state of the run go; a finished run is not
            repeated, a stopped one goes on.
        passes: How often to go over the text.
        decay_passes: Passes that the decay of the learning rate is laid out for, if
            more: training then ends before the rate is low.
        parts: Epochs a pass is cut into.
        limit: Most tokens to take from one corpus.
        vectors: Words and their vectors by others, see `tasks.data.vectors`; they come
            beside the trained ones, and stay as they are.
        **sizes: `embedding_dim`, `char_embedding_dim`, `char_units`, `casing_dim`,
            `char_encoder`, `word_length`.

    Returns:
        The folder, with `encoder.npz`, `words.txt`, `characters.txt` and
        `log.json`.
    """
    folder = Path(folder)
    if (folder / "log.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    sentences = read_sentences(corpora, data_dir, limit)
    words, characters = vocabularies(
        sentences, min_count, vocabulary_size, first=extra_words
    )
    own_words = len(words.items)
    if vectors is not None:
        more = [word for word in vectors[0] if word not in words]
        words = Vocabulary([*words.items, *more])
    (folder / "words.txt").write_text(words.text(), "utf-8")
    (folder / "characters.txt").write_text(characters.text(), "utf-8")
    options = {
        "word_length": 20,
        "vocabulary_size": len(words),
        "characters_size": len(characters),
        "embedding_dim": 100,
        "char_encoder": "cnn",
        "char_embedding_dim": 32,
        "char_units": 64,
        "casing_dim": 8,
        "dropout": dropout,
        "units": units,
        "own_words": own_words,
        **sizes,
    }
    if vectors is not None:
        options.setdefault("vector_groups", 25)
        options["vector_dim"] = vectors[1].shape[1]
    keras.utils.set_random_seed(seed)
    features = WordFeatures(words, characters, options["word_length"])
    rng = np.random.default_rng(seed)
    held = set(rng.choice(len(sentences), min(2000, len(sentences) // 20), False))
    training = [s for i, s in enumerate(sentences) if i not in held]
    batches = Sentences(training, features, seed, parts, own_words)
    held = [sentences[i] for i in sorted(held)]
    validation = Sentences(held, features, seed, own_words=own_words)
    if not len(batches) or not len(validation):
        raise ValueError(
            f"{', '.join(corpora)}: {len(sentences)} sentences do not fill a batch of "
            f"{TOKENS_PER_BATCH} tokens of one length; give more text."
        )
    model = build(options)
    glove_path = Path(data_dir) / GLOVE
    if glove_path.exists():
        own = Vocabulary(words.items[:own_words])
        table = glove(glove_path, own, options["embedding_dim"], seed)
        model.get_layer("word_embedding").set_weights([table])
    if vectors is not None:
        table = vectors_for(words, *vectors, options["vector_groups"])
        model.get_layer("word_vectors").set_weights(table)
    steps = (decay_passes or passes) * parts * len(batches)
    schedule = Schedule("cosine", learning_rate, steps)
    model.compile(
        keras.optimizers.Adam(schedule, global_clipnorm=1.0),
        per_token,
    )
    tokens = sum(map(len, training))
    print(f"{len(training)} sentences, {tokens} tokens, {len(words)} words", flush=True)
    resume = Resume(folder / "state")
    history = model.fit(
        as_dataset(batches),
        validation_data=as_dataset(validation),
        epochs=passes * parts,
        initial_epoch=resume.restore(model),
        shuffle=False,
        verbose=verbose,
        callbacks=[FollowEpochs(batches), resume],
    )
    arrays = {
        f"{layer}/{i}": w
        for layer in SHARED
        if vectors is not None or layer != "word_vectors"
        for i, w in enumerate(model.get_layer(layer).get_weights())
    }
    np.savez(folder / "encoder.npz", **arrays)
    log = {"corpora": list(corpora), "tokens": tokens, "options": options}
    log["loss"] = history.history.get("loss", [])
    log["val_loss"] = history.history.get("val_loss", [])
    (folder / "log.json").write_text(json.dumps(log, indent=1), "utf-8")
    return folder


def read_sentences(corpora, data_dir, limit=None):
    """All sentences of some corpora, at most `limit` tokens of each."""
    sentences = []
    for name in corpora:
        taken = 0
        for sentence in read_corpus(name, data_dir):
            sentence = sentence[: LENGTHS[-1]]
            if len(sentence) < 3:
                continue
            sentences.append(sentence)
            taken += len(sentence)
            if limit and taken >= limit:
                break
    return sentences
