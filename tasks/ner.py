"""Named entity recognition: a recurrent tagger with a CRF."""

from functools import partial
from zlib import crc32

import numpy as np

from tasks.answering import predict_on_batch
from tasks.data.batches import Batches
from tasks.data.features import WordFeatures, vocabularies_from
from tasks.data.ner import examples_from, texts_from
from tasks.data.pipeline import as_dataset
from tasks.data.tags import tag_names, to_bio
from tasks.exports import export_model
from tasks.metrics.entities import entity_scores, surface_f1
from tasks.results import Entities
from tasks.tagger import build_tagger
from tasks.task import Task
from tasks.training import BestWeights
from tasks.watching import SHOWN
from tasks.writing import some
from zoo.preset import loadable

SIZES = dict(
    word_length=20,
    embedding_dim=100,
    char_encoder="cnn",
    char_embedding_dim=32,
    char_units=64,
    casing_dim=8,
    layer="zoneout_lstm",
    layer_options={},
    units=200,
    num_layers=1,
    dropout=0.5,
    recurrent_dropout=0.0,
    zoneout_h=0.0,
    zoneout_c=0.0,
    crf=True,
    own_words=None,
    own_word_dropout=0.0,
    vector_dim=0,
    vector_groups=25,
)


@loadable
class NamedEntityTagger(Task):
    """Finds names in text: a bidirectional LSTM over words, with a CRF on top.

    A word comes as a vector of its own, as what a convolution (or an LSTM) reads off
    its characters, and as its shape (capitals, digits, user names, ...). The
    bidirectional `ZoneoutLSTM` reads these vectors, a dense layer scores the tags, and
    a linear-chain CRF picks the best legal sequence.

    Args:
        labels: List of names of the kinds of entities.
        words: `Vocabulary` of normalised words.
        characters: `Vocabulary` of characters.
        word_length: Number of characters that are read of a word.
        embedding_dim: Size of the vectors of words.
        char_encoder: `"cnn"`, `"lstm"`, or `None` to do without characters.
        char_embedding_dim, char_units: Sizes of the vectors of characters, and of
            what is read off them.
        casing_dim: Size of the vectors of shapes; 0 to do without.
        layer, layer_options: Kind of recurrent layer, as `zoo.layers.get` takes it,
            and dict of options of its own.
        units: Size of the recurrent layer, in each direction.
        num_layers: Number of bidirectional layers.
        dropout: Rate of dropout on word vectors and on the recurrent layer's outputs.
        recurrent_dropout, zoneout_h, zoneout_c: See `zoo.layers.ZoneoutLSTM`; for
            other kinds of layers only if they have them.
        crf: Whether a CRF decides; if not, each tag is chosen on its own.
        own_words: Number of words with trained vectors of their own, from the first of
            the vocabulary on; all by default.
        own_word_dropout: Rate at which words lose that vector in training, but keep
            the one made by others.
        vector_dim, vector_groups: Size of fixed vectors made by others, which come
            beside, and the bytes each of them takes; 0 for none.

    References:
        - Lample et al., [Neural architectures for named entity recognition](
          https://arxiv.org/abs/1603.01360), 2016
        - Ma and Hovy, [End-to-end sequence labeling via bi-directional
          LSTM-CNNs-CRF](https://arxiv.org/abs/1603.01354), 2016
    """

    task = "ner"
    defaults = SIZES
    head = ("logits", "crf")

    def __init__(self, labels, words, characters, **options):
        if isinstance(labels, str):
            raise ValueError(f"`labels` must be a list of names. Received: {labels!r}")
        self.labels = list(labels)
        if not self.labels:
            raise ValueError("`labels` is empty: a tagger needs a label to find.")
        self.tags = tag_names(self.labels)
        self.options = {"labels": self.labels, **self._complete(options)}
        self.features = WordFeatures(words, characters, self.options["word_length"])
        self.model, self.training_model = build_tagger(
            self.tags, len(words), len(characters), self.options
        )

    @classmethod
    def parts_of(cls, assets, options):
        return vocabularies_from(assets)

    def assets(self):
        return self.features.assets()

    def answers_to(self, inputs):
        return [found.to_dict() for found in self.predict(inputs)]

    def predict(self, inputs, batch_size=64):
        """Finds the entities of texts.

        Args:
            inputs: A string, a list of strings, or a list of lists of tokens. A text
                may be of any length and hold anything, line breaks too; each line is
                read on its own.
            batch_size: Most windows of text to read at once.

        Returns:
            `tasks.results.Entities`, or for a list a list of them in its order.

        Raises:
            TypeError: If the input is of another kind.
            ValueError: If `batch_size` is not positive.
        """
        texts, single = texts_from(inputs)
        windows = [window for text in texts for window in text.windows]
        tags, scores = self._tag(windows, batch_size)
        results, start = [], 0
        for text in texts:
            end = start + len(text.windows)
            found = [tag for row in tags[start:end] for tag in row]
            sure = [score for row in scores[start:end] for score in row]
            start = end
            results.append(
                Entities.from_tags(text.tokens, found, sure, text.text, text.offsets)
            )
        return results[0] if single else results

    def _tag(self, sentences, batch_size=64):
        """BIO tags and their probabilities for lists of tokens of any length."""
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be positive. Received: {batch_size}")
        tags, scores = [[] for _ in sentences], [[] for _ in sentences]
        rows = min(batch_size, max(1, len(sentences)))
        how = {"fill": False}
        batches = Batches(sentences, None, self.features, self.tags, rows, **how)
        for number, members in enumerate(batches.order()):
            inputs, _ = batches[number]
            answer = predict_on_batch(self.model, inputs)
            for row, member in enumerate(members):
                length = len(sentences[member])
                tags[member] = [self.tags[i] for i in answer["tags"][row, :length]]
                # Sums in float32 end up a little above 1.
                sure = np.minimum(answer["scores"][row, :length], 1.0)
                scores[member] = sure.tolist()
        return [to_bio(row) for row in tags], scores

    def evaluate(self, data, batch_size=64):
        """Scores the tagger by conlleval's rule: exact spans with their labels.

        Args:
            data: See `fit`.
            batch_size: Most sentences to read at once.

        Returns:
            Dict of floats, fractions of 1: `"f1"`, `"precision"`, `"recall"`,
            `"surface_f1"` (distinct surface forms, as WNUT-17 counts) and
            `"f1_<label>"` for each label; those that the tagger does not know are
            missed.

        Raises:
            ValueError: If the data cannot be read or are empty.
        """
        examples = some(examples_from(data))
        tokens = [tokens for tokens, _ in examples]
        gold = [tags for _, tags in examples]
        found, _ = self._tag(tokens, batch_size)
        scores = entity_scores(gold, found)
        return {**scores, "surface_f1": surface_f1(gold, found, tokens)}

    def fit(
        self,
        data,
        validation_data=None,
        epochs=3,
        batch_size=32,
        learning_rate=1e-3,
        word_dropout=0.05,
        seed=0,
        **run,
    ):
        """Trains on tagged sentences.

        Args:
            data: Path of a CoNLL file (token first, tag last); or a list of
                `(tokens, tags)`, in BIO, IOB1 or IOBES; or a list of
                `(text, [(start, end, label), ...])` with offsets of characters; or a
                `tf.data.Dataset` of `(tokens, tags)`.
            validation_data: The same. Scored after each epoch (`val_f1`); the weights
                of the best epoch are kept.
            epochs: Passes over the data.
            batch_size: Sentences a step.
            learning_rate: Highest rate of Adam; warms up, then decays.
            word_dropout: Rate at which words are made unknown, so that the tagger
                learns to go by characters and context.
            seed: Decides order, dropout and zoneout.
            **run: `patience`, `verbose`, `resume_dir` (a killed run goes on),
                `callbacks`, `optimizer`, `clipnorm`, `jit_compile`: see
                `tasks.task.Task`.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: If the data cannot be read, is empty, or has labels the tagger
                does not know.
        """
        examples = some(examples_from(data, self.labels))
        batches = Batches(
            [tokens for tokens, _ in examples],
            [tags for _, tags in examples],
            self.features,
            self.tags,
            batch_size,
            shuffle=True,
            seed=seed,
            word_dropout=word_dropout,
        )
        best = show = None
        if validation_data is not None:
            held = some(examples_from(validation_data, self.labels))
            show = partial(self.predict, [tokens for tokens, _ in held[:SHOWN]])
            best = partial(BestWeights, lambda: self.evaluate(held)["f1"], "val_f1")
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

    def balance(self, data, shifts=None):
        """Trades precision for recall, so that F1 on held-out data is best.

        Taggers trained by likelihood on text with few entities are too careful. This
        moves the score of the tag `"O"`, in the bias of the last layer, by the shift
        that is best on the data.

        Args:
            data: See `fit`; not the data it was trained on, and not those to test on.
            shifts: Numbers to try; 0 to -3 in steps of a half by default. Give one to
                apply it without looking.

        Returns:
            The shift that was applied.
        """
        shifts = [-0.5 * i for i in range(7)] if shifts is None else list(shifts)
        layer = self.model.get_layer("logits")
        kernel, bias = layer.get_weights()
        outside = [1.0] + [0.0] * (len(self.tags) - 1)

        def apply(shift):
            layer.set_weights([kernel, bias + [shift * x for x in outside]])

        scores = []
        if len(shifts) > 1:
            examples = examples_from(data, self.labels)
            for shift in shifts:
                apply(shift)
                scores.append(self.evaluate(examples)["f1"])
        best = shifts[scores.index(max(scores))] if scores else shifts[0]
        apply(best)
        return best

    def export(self, folder):
        """Writes the model as a TensorFlow SavedModel, with its vocabularies beside.

        The signature `serve` takes `word_ids`, `char_ids`, `casing_ids` and `mask`,
        and returns indices of tags and their probabilities; `tags.txt`, `words.txt`
        and `characters.txt` in `assets.zoo` say what the numbers mean.

        Args:
            folder: Where; must not exist yet.

        Raises:
            ValueError: If something is there already, or the backend is not
                TensorFlow.
        """
        tags = "".join(f"{tag}\n" for tag in self.tags)
        export_model(self.model, folder, {**self.assets(), "tags.txt": tags})
