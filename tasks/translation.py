"""Translation: a recurrent encoder and decoder with attention between them."""

from functools import partial
from os import PathLike
from zlib import crc32

import numpy as np

from tasks.data.pairs import PairBatches, pairs_from
from tasks.data.texts import lines_of, prompts_from, read_text
from tasks.data.tokenizers import SubwordTokenizer
from tasks.decoding.beam import BeamSearch
from tasks.decoding.random_search import search_of
from tasks.exports import export_model
from tasks.metrics.likelihood import mean_loss
from tasks.metrics.translation import translation_scores
from tasks.string_export import export_strings
from tasks.task import Task
from tasks.training import BestWeights
from tasks.translation_lines import LineTranslator, most_tokens
from tasks.translator import TranslatorParts
from tasks.watching import SHOWN
from tasks.writing import Writing, check_batch_size, some
from zoo.preset import loadable

SIZES = dict(
    encoder_layer="zoneout_lstm",
    encoder_options={},
    decoder_layer="zoneout_lstm",
    decoder_options={},
    units=256,
    num_layers=1,
    connection=None,
    embedding_dim=128,
    attention="bahdanau",
    tied=True,
    dropout=0.2,
    label_smoothing=0.0,
    scheduled_sampling=None,
    coverage_loss=0.0,
    max_tokens=100,
)


@loadable
class Translator(Writing, Task):
    """Translates sentences: an encoder in both directions, a decoder with attention.

    Text is read and written in pieces of words, learned from both languages together.
    Translations come from a beam search that runs in one compiled loop.

    Args:
        tokenizer: `tasks.data.tokenizers.SubwordTokenizer` of both languages.
        encoder_layer, decoder_layer: Names of layers of `zoo.layers`.
        encoder_options, decoder_options: Dicts of further options of these layers.
        units: Size of the decoder; each direction of the encoder has half of it.
        num_layers: Number of layers of the encoder.
        connection: What connects them, see `zoo.layers.Stack`.
        embedding_dim: Size of the vectors of pieces.
        attention: `"bahdanau"`, `"luong"`, or `None` to do without.
        tied: Whether the softmax uses the decoder's embedding.
        dropout: Rate of dropout on embeddings, between layers and before the softmax.
        label_smoothing: Part of the truth that is spread over all pieces in training.
        scheduled_sampling: How the decoder comes to read its own tokens in training:
            `"linear"`, `"exponential"` or `"inverse_sigmoid"`; `None` for never.
        coverage_loss: Weight of the doubly stochastic penalty, which asks that every
            place of the source is attended to.
        max_tokens: Pieces that are read at once; longer lines are cut.

    Example:

    >>> pairs = [("good day", "guten Tag"), ("good night", "gute Nacht")] * 8
    >>> model = Translator.for_data(pairs, vocabulary_size=60, units=8, embedding_dim=8)
    >>> _ = model.fit(pairs, epochs=1, verbose=0)
    >>> type(model.predict("good day").text)
    <class 'str'>

    References:
        - Bahdanau, Cho and Bengio, [Neural machine translation by jointly learning to
          align and translate](https://arxiv.org/abs/1409.0473), 2015
        - Wu et al., [Google's neural machine translation system](
          https://arxiv.org/abs/1609.08144), 2016
    """

    task = "translation"
    defaults = SIZES
    example_key = "source"

    def __init__(self, tokenizer, **options):
        self.options = self._complete(options)
        if self.options["units"] % 2:
            raise ValueError(
                "`units` must be even: the encoder has half of them in each direction. "
                f"Received: {self.options['units']}"
            )
        self.tokenizer = tokenizer
        parts = TranslatorParts(len(tokenizer), self.options)
        self._hold(
            parts,
            lambda ids, mask: (*parts.encode(ids, mask), mask),
            tokenizer.end_of_line,
        )
        most = self.options["max_tokens"]
        self.lines = LineTranslator(tokenizer, self._run, most)

    @classmethod
    def for_data(cls, data, vocabulary_size=8000, **options):
        """Makes an untrained translator whose pieces are learned from some pairs.

        Args:
            data: See `fit`.
            vocabulary_size: Most pieces.
            **options: See the class.
        """
        texts = [side for pair in pairs_from(data) for side in pair]
        return cls(SubwordTokenizer.learn(texts, vocabulary_size), **options)

    @classmethod
    def parts_of(cls, assets, options):
        return {"tokenizer": SubwordTokenizer.from_text(assets["tokenizer.txt"])}

    def assets(self):
        return {"tokenizer.txt": self.tokenizer.text()}

    def answers_to(self, inputs):
        return [{"source": r.source, "text": r.text} for r in self.predict(inputs)]

    # === Answers ===

    def predict(
        self,
        inputs,
        batch_size=32,
        *,
        beam_width=5,
        length_penalty=0.6,
        coverage_penalty=0.0,
        no_repeat_ngram=0,
        min_length=0,
        max_length=None,
        temperature=None,
        top_k=None,
        top_p=None,
        seed=0,
        output=None,
        verbose="auto",
    ):
        """Translates texts.

        Args:
            inputs: A string; a list or another iterable of strings, whose lines are
                translated one by one; or the `pathlib.Path` of a UTF-8 file, each line
                of which is a text.
            batch_size: Most lines to translate at once. They are sorted by length
                inside; answers keep the order of the inputs.
            beam_width, length_penalty, coverage_penalty, no_repeat_ngram: See
                `tasks.decoding.beam.BeamSearch`; `beam_width=1` is greedy.
            min_length, max_length: Least and most pieces of a line's translation, its
                end among them; by default half as many more as the line has, and some.
            temperature, top_k, top_p: Given a temperature, `beam_width` translations
                are drawn at random, see `tasks.decoding.sampling.Sampling`. What is
                drawn depends on the text and on `seed` alone.
            seed: Integer of at least 0, for these.
            output: Path of a file to add each text's translation to, in a line, as soon
                as some batches are done: what is there stays, whatever comes after.
            verbose: Whether to show a progress bar; by default with 20 batches or more.

        Returns:
            `tasks.translations.Translation`, or for several texts a list of them.

        Raises:
            TypeError: If the input is of another kind.
            ValueError: If a number is out of range, or a file is no UTF-8.
        """
        check_batch_size(batch_size)
        how = search_of(
            beam_width,
            length_penalty,
            coverage_penalty,
            no_repeat_ngram,
            temperature,
            top_k,
            top_p,
            seed,
            min_length,
            min_length + 1 if max_length is None else max_length,
        )
        if isinstance(inputs, PathLike):
            inputs = lines_of(read_text(inputs))
        single, texts = prompts_from(inputs)
        results = self.lines.translations(
            texts, how, batch_size, verbose, output, by_length=max_length is None
        )
        return results[0] if single else results

    translate = predict

    def align(self, source, target):
        """Where the model looks as it writes a translation that is given.

        Args:
            source, target: Strings of one line; of longer ones, what the model reads at
                once.

        Returns:
            `tasks.translations.Translation` of `target`, with its attention, and its
            log-probability as the score.

        Raises:
            TypeError: If they are no strings.
        """
        for side in (source, target):
            if not isinstance(side, str):
                raise TypeError(f"Expected two strings. Received: {side!r:.100}")
        return self.lines.aligned(source, target, self.model)

    def export(
        self,
        folder,
        *,
        strings=True,
        beam_width=5,
        length_penalty=0.6,
        coverage_penalty=0.0,
        no_repeat_ngram=0,
    ):
        """Writes the model as a TensorFlow SavedModel.

        Args:
            folder: Where; must not exist yet.
            strings: Whether it maps texts to translations, tokenizer and search
                included; see `tasks.string_export.export_strings`. If not, its
                signature `serve` takes `source_ids`, `source_mask`, `target_ids` and
                `target_mask` and returns `logits` and `attention`; the tokenizer lies
                beside.
            beam_width, length_penalty, coverage_penalty, no_repeat_ngram: Of the
                search; see `predict`.

        Raises:
            ValueError: If something is there already, or the backend is not
                TensorFlow.
            ImportError: If strings are wanted, but tensorflow-text is not installed.
        """
        if strings:
            most = most_tokens(self.options["max_tokens"])
            how = BeamSearch(
                beam_width,
                most,
                length_penalty=length_penalty,
                coverage_penalty=coverage_penalty,
                no_repeat_ngram=no_repeat_ngram,
            )
            export_strings(self, folder, how)
        else:
            export_model(self.model, folder, self.assets())

    # === Scores ===

    def evaluate(self, data, batch_size=32, lowercase=False, **search):
        """Scores translations of the sources against the targets.

        Args:
            data: See `fit`.
            batch_size: Most lines to translate at once.
            lowercase: Whether to compare without regard to capitals.
            **search: Options of `predict`.

        Returns:
            Dict of floats: `"bleu"` and `"chrf"` from 0 to 100 (sacreBLEU; see
            `tasks.metrics.translation.signatures` for what to name beside them), and
            `"loss"`, the negative log-likelihood of the targets in nats per piece.

        Raises:
            ValueError: If there are no pairs.
        """
        pairs = some(pairs_from(data))
        sources, targets = zip(*pairs, strict=True)
        found = [r.text for r in self.predict(list(sources), batch_size, **search)]
        scores = translation_scores(found, list(targets), lowercase)
        return {**scores, "loss": self.loss(pairs, batch_size)}

    def loss(self, data, batch_size=32):
        """Negative log-likelihood of the targets, in nats per piece."""
        batches = PairBatches(*self._encoded(pairs_from(data)), batch_size)
        return mean_loss(self.model, batches)

    def _encoded(self, pairs):
        """Ids of both sides; targets have their end."""
        most, end = self.options["max_tokens"], self.tokenizer.end_of_line
        sources = [self._ids(source)[:most] for source, _ in pairs]
        targets = [np.append(self._ids(target)[: most - 1], end) for _, target in pairs]
        return sources, targets

    def _ids(self, text):
        ids = self.tokenizer.encode(" ".join(text.split()))
        # A source of nothing still is something to look at.
        return ids if len(ids) else np.array([self.tokenizer.end_of_line], "int32")

    # === Training ===

    def fit(
        self,
        data,
        validation_data=None,
        epochs=10,
        batch_size=64,
        learning_rate=1e-3,
        curriculum=0,
        seed=0,
        callbacks=(),
        **run,
    ):
        """Trains on pairs of sentences.

        Args:
            data: Path of a file with a source and a target in each line, with a tab
                between them; a tuple of two paths, line by line; a list, another
                iterable or a data frame of `(source, target)`; or a `tf.data.Dataset`
                of pairs of strings.
            validation_data: The same. Scored after each epoch (`val_loss`, nats per
                piece, without smoothing); the weights of the best epoch are kept.
            epochs: Passes over the data.
            batch_size: Pairs a step.
            learning_rate: Highest rate of Adam; warms up, then decays.
            curriculum: Epochs over which longer pairs join the shorter ones; 0 for all
                from the first.
            seed: Decides order, dropout and zoneout.
            callbacks: Keras callbacks.
            **run: `patience`, `verbose`, `resume_dir` (a killed run goes on),
                `optimizer`, `clipnorm`, `jit_compile`: see `tasks.task.Task`.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: If the data cannot be read or are empty.
        """
        pairs = some(pairs_from(data))
        batches = PairBatches(
            *self._encoded(pairs),
            batch_size,
            shuffle=True,
            seed=seed,
            curriculum=curriculum,
        )
        best = show = None
        if validation_data is not None:
            held = some(pairs_from(validation_data))
            best = partial(BestWeights, lambda: self.loss(held), "val_loss", lower=True)
            show = partial(self.predict, [source for source, _ in held[:SHOWN]])
        return self._train(
            batches,
            crc32(repr(pairs).encode("utf-8", "surrogatepass")),
            epochs=epochs,
            learning_rate=learning_rate,
            seed=seed,
            best=best,
            show=show,
            callbacks=callbacks,
            **run,
        )
