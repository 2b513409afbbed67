"""Translation: a recurrent encoder and decoder with attention between them."""

import math
from dataclasses import replace
from zlib import crc32

import keras
import numpy as np
from keras import ops

from tasks.data.batches import bucket_length
from tasks.data.pairs import BUCKETS, PairBatches, padded, pairs_from
from tasks.data.pipeline import as_dataset
from tasks.data.texts import prompts_from
from tasks.data.tokenizers import SubwordTokenizer
from tasks.data.vocabulary import RESERVED
from tasks.decoding.beam import BeamSearch
from tasks.decoding.compiled import compiled
from tasks.exports import export_model
from tasks.metrics.translation import translation_scores
from tasks.task import Task
from tasks.training import BestWeights
from tasks.translations import Translation
from tasks.translator import TranslatorParts
from zoo.preset import loadable

SCHEDULES = ("linear", "exponential", "inverse_sigmoid", None)
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
_NEVER = -1e9


@loadable
class Translator(Task):
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

    def __init__(self, tokenizer, **options):
        unknown = sorted(set(options) - set(SIZES))
        if unknown:
            raise ValueError(f"Unknown options {unknown}. Options: {', '.join(SIZES)}")
        self.options = {**SIZES, **options}
        if self.options["units"] % 2:
            raise ValueError(
                "`units` must be even: the encoder has half of them in each direction. "
                f"Received: {self.options['units']}"
            )
        if self.options["scheduled_sampling"] not in SCHEDULES:
            raise ValueError(
                f"`scheduled_sampling` must be one of {SCHEDULES}. "
                f"Received: {self.options['scheduled_sampling']!r}"
            )
        self.tokenizer = tokenizer
        self.parts = TranslatorParts(len(tokenizer), self.options)
        self.model = self.parts.model
        self.training_model = self.parts.training_model
        self._searches = {}

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
    def from_preset(cls, preset, **overrides):
        """Makes the translator from a preset."""
        tokenizer = SubwordTokenizer.from_text(preset.assets["tokenizer.txt"])
        task = cls(tokenizer, **{**preset.options, **overrides})
        preset.load_weights(task.model)
        task._examples = [] if overrides else preset.examples
        return task

    def assets(self):
        return {"tokenizer.txt": self.tokenizer.text()}

    _examples = ()

    def examples(self):
        """Texts with what this translator makes of them."""
        texts = [example["source"] for example in self._examples]
        return [
            {"source": r.source, "text": r.text}
            for r in (self.predict(texts) if texts else [])
        ]

    def show_examples(self, texts):
        """Sets the texts whose answers are saved along with the translator."""
        self._examples = [{"source": text} for text in texts]

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
        verbose="auto",
    ):
        """Translates texts.

        Args:
            inputs: A string or a list of strings. Lines are translated one by one.
            batch_size: Most lines to translate at once. They are sorted by length
                inside; answers keep the order of the inputs.
            beam_width, length_penalty, coverage_penalty, no_repeat_ngram: See
                `tasks.decoding.beam.BeamSearch`; `beam_width=1` is greedy.
            verbose: Whether to show a progress bar; by default with 20 batches or more.

        Returns:
            `tasks.translations.Translation`, or for a list a list of them.

        Raises:
            TypeError: If the input is of another kind.
            ValueError: If a number is out of range.
        """
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be positive. Received: {batch_size}")
        how = BeamSearch(
            beam_width,
            length_penalty=length_penalty,
            coverage_penalty=coverage_penalty,
            no_repeat_ngram=no_repeat_ngram,
        )
        single, texts = prompts_from(inputs)
        lines = [_Line(self.tokenizer, text, self.options) for text in texts]
        windows = [window for line in lines for window in line.windows]
        found = iter(self._translate(windows, how, batch_size, verbose))
        results = [line.result([next(found) for _ in line.windows]) for line in lines]
        return results[0] if single else results

    translate = predict

    def _translate(self, windows, how, batch_size, verbose):
        """The translations of lists of ids, in their order."""
        found = [None] * len(windows)
        order = sorted(range(len(windows)), key=lambda i: len(windows[i]))
        starts = range(0, len(order), batch_size)
        many = len(starts) >= 20 if verbose == "auto" else bool(verbose)
        bar = keras.utils.Progbar(len(starts), verbose=1 if many else 0)
        for start in starts:
            members = order[start : start + batch_size]
            answers = self._search([windows[m] for m in members], how, batch_size)
            for member, answer in zip(members, answers, strict=True):
                found[member] = answer
            bar.add(1)
        return found

    def _search(self, sources, how, batch_size):
        length = bucket_length(max(len(source) for source in sources), BUCKETS)
        # Few shapes: one for single lines, one for batches.
        rows = 1 if len(sources) == 1 else batch_size
        how = replace(how, max_length=length * 3 // 2 + 10)
        ids, mask = padded(sources, length, rows)
        mask[len(sources) :, 0] = True  # a row of padding still needs a place
        run = self._compiled(how)
        answer = run(ops.convert_to_tensor(ids), ops.convert_to_tensor(mask))
        answer = answer.as_arrays()
        return [self._answers(answer, row, sources[row]) for row in range(len(sources))]

    def _compiled(self, how):
        if how not in self._searches:
            run = compiled(
                lambda ids, mask: self._run(how, ids, mask), self.model.variables
            )
            self._searches[how] = run
        return self._searches[how]

    def _run(self, how, source_ids, source_mask):
        memory, summary = self.parts.encode(source_ids, source_mask)
        decoder = self.parts.decoder
        prepared, state = decoder.begin(memory, summary, source_mask)
        prepared = type(prepared)(
            *(x if x is None else ops.repeat(x, how.width, axis=0) for x in prepared)
        )
        forbidden = ops.arange(len(self.tokenizer)) < RESERVED

        def step(token_ids, state):
            logits, state, attention = decoder.step(token_ids, list(state), prepared)
            chances = ops.log_softmax(logits)
            chances = ops.where(forbidden, _NEVER, chances)
            return chances, tuple(state), attention

        looks = self.options["attention"] is not None
        return how.search(
            step,
            ops.zeros_like(source_ids[:, 0]),
            tuple(state),
            end=self.tokenizer.end_of_line,
            vocabulary_size=len(self.tokenizer),
            memory_mask=source_mask if looks else None,
        )

    def _answers(self, found, row, source):
        """What was found for a line, best first: `(ids, score, log p, attention)`."""
        answers = []
        for rank in range(found.scores.shape[1]):
            traced = found.traced(row, rank)
            if traced is None:
                break
            tokens, attention = traced
            if attention is not None:
                attention = attention[:, : len(source)]
            if tokens[-1:] == [self.tokenizer.end_of_line]:
                tokens = tokens[:-1]
            scores = (found.scores, found.log_probabilities)
            answers.append((tokens, *(float(x[row, rank]) for x in scores), attention))
        return answers

    def export(self, folder):
        """Writes the model as a TensorFlow SavedModel, with its tokenizer beside.

        The signature `serve` takes `source_ids`, `source_mask`, `target_ids` and
        `target_mask` and returns `logits` and `attention`.

        Args:
            folder: Where; must not exist yet.

        Raises:
            ValueError: If something is there already, or the backend is not
                TensorFlow.
        """
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
            Dict of floats: `"bleu"` and `"chrf"` from 0 to 100 (sacreBLEU), and
            `"loss"`, the negative log-likelihood of the targets in nats per piece.

        Raises:
            ValueError: If there are no pairs.
        """
        pairs = pairs_from(data)
        if not pairs:
            raise ValueError("`data` is empty: there are no examples.")
        sources, targets = zip(*pairs, strict=True)
        found = [r.text for r in self.predict(list(sources), batch_size, **search)]
        scores = translation_scores(found, list(targets), lowercase)
        return {**scores, "loss": self.loss(pairs, batch_size)}

    def loss(self, data, batch_size=32):
        """Negative log-likelihood of the targets, in nats per piece."""
        batches = PairBatches(*self._encoded(pairs_from(data)), batch_size)
        total, count = 0.0, 0
        for number in range(len(batches)):
            inputs, _ = batches[number]
            targets = inputs.pop("targets")
            logits = self.model.predict_on_batch(inputs)["logits"].astype("float64")
            mask = inputs["target_mask"]
            logits, right = logits[mask], targets[mask]
            most = logits.max(1)
            sums = np.log(np.exp(logits - most[:, None]).sum(1)) + most
            total += float(np.sum(sums - logits[np.arange(len(right)), right]))
            count += len(right)
        return total / max(count, 1)

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
        patience=None,
        seed=0,
        verbose="auto",
        checkpoint_dir=None,
        callbacks=(),
    ):
        """Trains on pairs of sentences.

        Args:
            data: Path of a file with a source and a target in each line, with a tab
                between them; a tuple of two paths, line by line; a list of `(source,
                target)`; or a `tf.data.Dataset` of pairs of strings.
            validation_data: The same. Scored after each epoch (`val_loss`, nats per
                piece, without smoothing); the weights of the best epoch are kept.
            epochs: Passes over the data.
            batch_size: Pairs a step.
            learning_rate: Highest rate of Adam; warms up, then decays.
            curriculum: Epochs over which longer pairs join the shorter ones; 0 for all
                from the first.
            patience: Epochs without a better `val_loss` after which to stop.
            seed: Decides order, dropout and zoneout.
            verbose: Keras' verbosity; a progress bar by default.
            checkpoint_dir: Folder to save the run's state in after each epoch. Called
                again with the same folder and arguments, a killed run goes on.
            callbacks: Keras callbacks.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: If the data cannot be read or are empty.
        """
        pairs = pairs_from(data)
        if not pairs:
            raise ValueError("`data` is empty: there are no examples to train on.")
        batches = PairBatches(
            *self._encoded(pairs),
            batch_size,
            shuffle=True,
            seed=seed,
            curriculum=curriculum,
        )
        callbacks = list(callbacks)
        if self.options["scheduled_sampling"] is not None:
            callbacks.insert(0, SamplingRate(self, epochs))
        if validation_data is not None:
            held = pairs_from(validation_data)
            best = BestWeights(
                lambda: self.loss(held), "val_loss", patience, lower=True
            )
            callbacks.insert(0, best)
        return self._fit(
            batches,
            as_dataset(batches),
            crc32(repr(pairs).encode("utf-8", "surrogatepass")),
            epochs=epochs,
            learning_rate=learning_rate,
            seed=seed,
            verbose=verbose,
            checkpoint_dir=checkpoint_dir,
            callbacks=callbacks,
        )


class SamplingRate(keras.callbacks.Callback):
    """Raises the rate of scheduled sampling from epoch to epoch, up to a quarter.

    Args:
        task: The `Translator`.
        epochs: Epochs of the whole run.
    """

    def __init__(self, task, epochs):
        super().__init__()
        self.task, self.epochs = task, epochs

    def on_epoch_begin(self, epoch, logs=None):
        kind = self.task.options["scheduled_sampling"]
        rate = 0.25 * sampling_rate(kind, epoch / max(1, self.epochs - 1))
        self.task.parts.decoder.sampling_rate.assign(rate)


def sampling_rate(kind, progress):
    """How often inputs are the model's own, from 0 at first to about 1 at last.

    Args:
        kind: `"linear"`, `"exponential"` or `"inverse_sigmoid"`.
        progress: float, 0 at the begin of training, 1 at its end.

    Reference:
        - Bengio et al., [Scheduled sampling](https://arxiv.org/abs/1506.03099), 2015
    """
    if kind == "linear":
        return progress
    if kind == "exponential":
        return 1.0 - 0.01**progress
    # Half-way at the middle of training, flat at both ends.
    k = 10.0
    low, high = (1 / (1 + math.exp(k * x)) for x in (0.5, -0.5))
    return (1 / (1 + math.exp(k * (0.5 - progress))) - low) / (high - low)


class _Line:
    """A text in windows that are short enough, and its translation put together."""

    def __init__(self, tokenizer, text, options):
        self.tokenizer, self.text = tokenizer, text
        most = options["max_tokens"]
        self.windows, self.breaks = [], []
        for number, line in enumerate(text.split("\n")):
            ids = tokenizer.encode(" ".join(line.split()))
            for start in range(0, len(ids), most):
                # What stands between this window's translation and the one before.
                self.breaks.append(("\n" * (number - self._lines()), " ")[start > 0])
                self.windows.append(ids[start : start + most].tolist())

    def _lines(self):
        return sum(text.count("\n") for text in self.breaks)

    def result(self, answers):
        """The `Translation`, from the answers to each window."""
        if not answers:
            return Translation(self.text, "")
        if len(answers) == 1:
            found = [self._one(self.windows[0], answer) for answer in answers[0]]
            best = found[0]
            return replace(best, text=self.breaks[0] + best.text, candidates=found)
        parts = [self._one(w, a[0]) for w, a in zip(self.windows, answers, strict=True)]
        text = "".join(
            gap + part.text for gap, part in zip(self.breaks, parts, strict=True)
        )
        return Translation(
            self.text,
            text,
            sum(part.score for part in parts),
            sum(part.log_probability for part in parts),
        )

    def _one(self, window, answer):
        ids, score, log_probability, attention = answer
        return Translation(
            self.text,
            self.tokenizer.decode(ids),
            score,
            log_probability,
            self._pieces(window),
            [*self._pieces(ids), "⏎"][: 0 if attention is None else len(attention)],
            attention,
        )

    def _pieces(self, ids):
        return [self.tokenizer.piece(i) for i in ids]
