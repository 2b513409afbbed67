"""Text classification: a recurrent encoder with attention over the words."""

from collections import Counter
from functools import partial
from zlib import crc32

import numpy as np

from tasks.answering import predict_on_batch
from tasks.classifications import Classification
from tasks.data.features import WordFeatures, vocabularies_from
from tasks.data.labelled import LabelledBatches, labelled_from, shortened, tokens_of
from tasks.data.pipeline import as_dataset
from tasks.data.texts import items_of
from tasks.data.vocabulary import Vocabulary
from tasks.data.words import normalize
from tasks.exports import export_model
from tasks.metrics.classification import best_temperature, classification_scores
from tasks.task import Task
from tasks.text_classifier import build_classifier
from tasks.training import BestWeights
from tasks.watching import SHOWN
from tasks.writing import some
from zoo.preset import loadable

SIZES = dict(
    layer="zoneout_lstm",
    layer_options={},
    units=128,
    num_layers=1,
    bidirectional=True,
    connection=None,
    pooling="attention",
    sentence_length=None,
    max_tokens=400,
    word_length=20,
    embedding_dim=100,
    char_encoder=None,
    char_embedding_dim=32,
    char_units=64,
    casing_dim=0,
    dropout=0.5,
    hidden_dropout=0.0,
    label_smoothing=0.0,
    own_words=None,
    vector_dim=0,
    vector_groups=25,
)


@loadable
class TextClassifier(Task):
    """Gives a text a label: what it is about, or whether its author was pleased.

    Words come as vectors; recurrent layers read them in both directions; attention
    weighs the words, and a softmax decides.

    Args:
        labels: List of the names of the classes.
        words: `Vocabulary` of normalised words.
        characters: `Vocabulary` of characters.
        layer: Name of a layer of `zoo.layers`: `"zoneout_lstm"`, `"qrnn"`, ...
        layer_options: Dict of further options of each layer.
        units, num_layers: Size (in each direction) and number of the layers.
        bidirectional: Whether texts are read in both directions.
        connection: `None`, `"residual"`, `"highway"` or `"dense"`, see
            `zoo.layers.Stack`.
        pooling: `"attention"`, `"mean"`, `"max"` or `"last"`.
        sentence_length: Reads documents in two steps: passages of at most so many
            words, cut at ends of sentences, then their sequence; `None` in one step.
        max_tokens: Tokens that are read of a text; of longer ones, the first and the
            last half of that.
        dropout: Rate of dropout on word vectors and on what is pooled.
        hidden_dropout: Rate of variational dropout between layers.
        label_smoothing: Part of the truth that is spread over all classes in training.
        word_length, embedding_dim, char_encoder, char_embedding_dim, char_units,
            casing_dim, own_words, vector_dim, vector_groups: See
            `tasks.ner.NamedEntityTagger`.

    Example:

    >>> data = [("good film", "yes"), ("bad film", "no")] * 8
    >>> model = TextClassifier.for_data(data, units=4, embedding_dim=8)
    >>> _ = model.fit(data, epochs=1, verbose=0)
    >>> model.predict("good film").label in ("yes", "no")
    True

    References:
        - Yang et al., [Hierarchical attention networks for document classification](
          https://aclanthology.org/N16-1174/), 2016
        - Bradbury et al., [Quasi-recurrent neural networks](
          https://arxiv.org/abs/1611.01576), 2017
    """

    task = "text_classification"
    defaults = SIZES
    head = ("logits", "temperature")

    def __init__(self, labels, words, characters, **options):
        if isinstance(labels, str) or len(set(labels)) != len(labels):
            raise ValueError(
                f"`labels` must be a list of distinct names. Received: {labels!r}"
            )
        if len(labels) < 2:
            raise ValueError(
                "A classifier needs at least two labels to tell apart. "
                f"Received: {list(labels)}"
            )
        self.labels = list(labels)
        self.options = {"labels": self.labels, **self._complete(options)}
        self.features = WordFeatures(words, characters, self.options["word_length"])
        self.model, self.training_model = build_classifier(
            len(words), len(characters), self.options
        )

    @classmethod
    def for_data(cls, data, min_count=1, vocabulary_size=None, **options):
        """Makes an untrained classifier with the labels and words of some data.

        Args:
            data: See `fit`.
            min_count: How often a word must be there to be known.
            vocabulary_size: Most words to know.
            **options: See the class.

        Raises:
            ValueError: If the data have fewer than two labels.
        """
        examples = labelled_from(data)
        labels = options.pop("labels", None) or sorted({label for _, label in examples})
        tokens = [token for text, _ in examples for token in tokens_of(text)]
        words = Counter(map(normalize, tokens))
        characters = Counter(c for token in tokens for c in token)
        return cls(
            labels,
            Vocabulary.build(words, min_count, vocabulary_size),
            Vocabulary.build(characters),
            **options,
        )

    @classmethod
    def parts_of(cls, assets, options):
        return vocabularies_from(assets)

    def assets(self):
        return self.features.assets()

    def answers_to(self, inputs):
        return [
            {"text": r.text, "label": r.label, "probability": round(r.probability, 3)}
            for r in self.predict(inputs)
        ]

    def predict(self, inputs, batch_size=64):
        """Labels texts.

        Args:
            inputs: A string, a list (or array, iterator, dataset) of strings, or a list
                of lists of tokens.
            batch_size: Most texts to read at once.

        Returns:
            `tasks.classifications.Classification`, or for a list a list of them.

        Raises:
            TypeError: If the input is of another kind.
            ValueError: If `batch_size` is not positive.
        """
        single = isinstance(inputs, str)
        items = [inputs] if single else items_of(inputs)
        if items is None:
            raise TypeError(
                "Expected a string, a list of strings, or a list of lists of tokens. "
                f"Received: {type(inputs).__name__}"
            )
        tokens = self._tokens(items)
        results = [
            self._result(item, read, probabilities, attention)
            for item, read, (probabilities, attention, _) in zip(
                items, tokens, self._answers(tokens, batch_size), strict=True
            )
        ]
        return results[0] if single else results

    def _tokens(self, items):
        most = self.options["max_tokens"]
        found = [tokens_of(item, number) for number, item in enumerate(items)]
        return [shortened(tokens, most) for tokens in found]

    def _result(self, item, tokens, probabilities, attention):
        pairs = zip(self.labels, probabilities.tolist(), strict=True)
        ranked = dict(sorted(pairs, key=lambda pair: -pair[1]))
        text = item if isinstance(item, str) else " ".join(item)
        label = next(iter(ranked))
        return Classification(text, label, ranked, tokens, attention.tolist())

    def _answers(self, tokens, batch_size):
        """Probabilities, attention and logits of each text."""
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be positive. Received: {batch_size}")
        found = [None] * len(tokens)
        rows = min(batch_size, max(1, len(tokens)))
        how = {"field": self.options["sentence_length"], "fill": False}
        batches = LabelledBatches(tokens, None, self.features, rows, **how)
        for number, members in enumerate(batches.order()):
            inputs, _ = batches[number]
            answer = predict_on_batch(self.model, inputs)
            for row, member in enumerate(members):
                found[member] = (
                    answer["probabilities"][row],
                    # In the order of the tokens, without fillers and padding.
                    answer["attention"][row][inputs["mask"][row]],
                    answer["logits"][row],
                )
        return found

    def evaluate(self, data, batch_size=64):
        """Scores the classifier.

        Args:
            data: See `fit`.
            batch_size: Most texts to read at once.

        Returns:
            Dict of floats, see `tasks.metrics.classification.classification_scores`:
            `"accuracy"`, `"f1"`, `"loss"`, `"calibration_error"`.

        Raises:
            ValueError: If the data cannot be read, are empty, or have unknown labels.
        """
        examples, truth = self._examples_from(data)
        answers = self._answers(self._tokens([t for t, _ in examples]), batch_size)
        return classification_scores(truth, np.stack([a[0] for a in answers]))

    def _examples_from(self, data):
        examples = some(labelled_from(data, self.labels))
        return examples, np.array([self.labels.index(label) for _, label in examples])

    def fit(
        self,
        data,
        validation_data=None,
        epochs=5,
        batch_size=32,
        learning_rate=1e-3,
        word_dropout=0.0,
        class_weights=None,
        seed=0,
        **run,
    ):
        """Trains on texts with labels.

        Args:
            data: Path of a file with a text and its label in each line, with a tab
                between them (or `.csv`); a list, another iterable or a data frame of
                `(text, label)`, where a text may be a list of tokens; or a
                `tf.data.Dataset` of pairs of strings.
            validation_data: The same. Scored after each epoch (`val_accuracy`); the
                weights of the best epoch are kept.
            epochs: Passes over the data.
            batch_size: Texts a step.
            learning_rate: Highest rate of Adam; warms up, then decays.
            word_dropout: Rate at which words are made unknown.
            class_weights: Dict from label to how much its examples weigh; or
                `"balanced"`, so that all labels weigh the same.
            seed: Decides order, dropout and zoneout.
            **run: `patience`, `verbose`, `resume_dir` (a killed run goes on),
                `callbacks`, `optimizer`, `clipnorm`, `jit_compile`: see
                `tasks.task.Task`.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: If the data cannot be read, are empty, have labels the
                classifier does not know, or only one label.
        """
        examples, truth = self._examples_from(data)
        present = sorted({label for _, label in examples})
        if len(present) < 2:
            raise ValueError(
                f"All examples have the label {present[0]!r}: there is nothing to "
                f"tell apart. This classifier knows {self.labels}."
            )
        batches = LabelledBatches(
            self._tokens([text for text, _ in examples]),
            truth,
            self.features,
            batch_size,
            class_weights=self._weights(class_weights, truth),
            field=self.options["sentence_length"],
            shuffle=True,
            seed=seed,
            word_dropout=word_dropout,
        )
        best = show = None
        if validation_data is not None:
            held, _ = self._examples_from(validation_data)
            show = partial(self.predict, [text for text, _ in held[:SHOWN]])
            best = partial(
                BestWeights, lambda: self.evaluate(held)["accuracy"], "val_accuracy"
            )
        return self._fit(
            batches,
            as_dataset(batches),
            crc32(repr(examples).encode("utf-8", "surrogatepass")),
            epochs=epochs,
            learning_rate=learning_rate,
            seed=seed,
            best=best,
            show=show,
            **run,
        )

    def _weights(self, class_weights, truth):
        """How much the examples of each class weigh, `(classes,)`; 1 on average."""
        counts = np.bincount(truth, minlength=len(self.labels))
        if class_weights is None:
            return None
        if class_weights == "balanced":
            weights = len(truth) / np.maximum(counts, 1) / np.count_nonzero(counts)
            return weights.astype("float32")
        if not isinstance(class_weights, dict) or set(class_weights) - set(self.labels):
            raise ValueError(
                f"`class_weights` must be 'balanced' or a dict from {self.labels} to "
                f"numbers. Received: {class_weights!r}"
            )
        return np.array([class_weights.get(x, 1.0) for x in self.labels], "float32")

    def calibrate(self, data):
        """Makes probabilities honest: divides the logits by the best temperature.

        Labels stay as they are. The temperature is part of the model and is saved.

        Args:
            data: See `fit`; not the data it was trained on, and not those to test on.

        Returns:
            The temperature.
        """
        examples, truth = self._examples_from(data)
        answers = self._answers(self._tokens([t for t, _ in examples]), 64)
        layer = self.model.get_layer("temperature")
        old = float(layer.get_weights()[0])
        logits = np.stack([a[2] for a in answers]) * old
        temperature = best_temperature(truth, logits)
        layer.set_weights([np.float32(temperature)])
        return temperature

    def export(self, folder):
        """Writes the model as a TensorFlow SavedModel, with its vocabularies beside.

        The signature `serve` takes `word_ids`, `char_ids`, `casing_ids` and `mask`.

        Args:
            folder: Where; must not exist yet.

        Raises:
            ValueError: If something is there already, or the backend is not
                TensorFlow.
        """
        texts = {"labels.txt": "".join(f"{x}\n" for x in self.labels)}
        export_model(self.model, folder, {**self.assets(), **texts})
