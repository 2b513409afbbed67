"""Captioning: what is in a picture, in a sentence."""

import hashlib
from dataclasses import replace
from functools import partial

import keras
import numpy as np

from tasks import scheduled_sampling
from tasks.captioner import CaptionerParts
from tasks.captions import Caption
from tasks.data.caption_words import CaptionCoder, caption_text
from tasks.data.captions import CaptionBatches, captions_from
from tasks.data.pictures import picture_digest, picture_name, pictures_from
from tasks.data.pipeline import as_dataset
from tasks.data.regions import RegionReader
from tasks.data.vocabulary import RESERVED, Vocabulary
from tasks.decoding.attention_search import AttentionSearch
from tasks.decoding.beam import BeamSearch
from tasks.exports import export_model
from tasks.metrics.captions import caption_scores
from tasks.metrics.likelihood import mean_loss
from tasks.pictures.published import load_net
from tasks.task import Task
from tasks.training import BestWeights
from zoo.preset import loadable

LOSS = "loss"
MONITORS = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "cider_d", LOSS)
OPTIONS = dict(
    features="mobilenet_v2",
    feature_options={},
    picture_size=224,
    region_dim=256,
    layer="zoneout_lstm",
    layer_options={},
    units=512,
    embedding_dim=256,
    attention="bahdanau",
    attention_units=256,
    tied=True,
    dropout=0.5,
    label_smoothing=0.0,
    scheduled_sampling=None,
    coverage_loss=0.0,
    max_words=40,
)


@loadable
class Captioner(Task):
    """Writes captions: a net sees regions, a decoder looks at one after the other.

    The net was trained on other pictures and stays as it is. Captions come from a beam
    search that runs in one compiled loop.

    Args:
        vocabulary: `tasks.data.vocabulary.Vocabulary` of words, the first is `"\\n"`,
            which ends a caption.
        features: The net that sees: a name of `tasks.pictures.NETS`, or
            `"keras.applications.X"` for a model there.
        feature_options: Dict of further options of the net.
        picture_size: Height and width to which pictures are brought, in pixels.
        region_dim: Size of the vectors of regions that the decoder looks at.
        layer: Name of the decoder's layer of `zoo.layers`.
        layer_options: Dict of further options of it.
        units: Size of it.
        embedding_dim: Size of the vectors of words.
        attention: `"bahdanau"`, `"luong"`, or `None` to see the mean of all regions.
        attention_units: Size of Bahdanau's hidden layer.
        tied: Whether the softmax uses the decoder's embedding.
        dropout: Rate of dropout on regions, embeddings and before the softmax.
        label_smoothing: Part of the truth that is spread over all words in training.
        scheduled_sampling: How the decoder comes to read its own words in training:
            `"linear"`, `"exponential"` or `"inverse_sigmoid"`; `None` for never.
        coverage_loss: Weight of the doubly stochastic penalty, a mean over regions: it
            asks that every region is looked at as much as others.
        max_words: Most words of a caption; longer ones are cut in training.

    Raises:
        ValueError: If an option is unknown or out of range.

    Example:

    >>> import numpy as np
    >>> red, blue = np.zeros((2, 8, 8, 3), "uint8")
    >>> red[..., 0], blue[..., 2] = 255, 255
    >>> small = dict(units=8, picture_size=32, feature_options={"blocks": 1})
    >>> data = [(red, ["red", "a red one"]), (blue, "blue")]
    >>> model = Captioner.for_data(data, picture_weights="random", **small)
    >>> _ = model.fit(data, epochs=1, verbose=0)
    >>> type(model.predict(red).text)
    <class 'str'>

    Reference:
        - Xu et al., [Show, attend and tell](https://arxiv.org/abs/1502.03044), 2015
    """

    task = "captioning"
    defaults = OPTIONS
    example_key = "picture"

    def __init__(self, vocabulary, **options):
        self.options = self._complete(options)
        if self.options["scheduled_sampling"] not in scheduled_sampling.KINDS:
            raise ValueError(
                f"`scheduled_sampling` must be one of {scheduled_sampling.KINDS}. "
                f"Received: {self.options['scheduled_sampling']!r}"
            )
        self.coder = CaptionCoder(vocabulary)
        self.parts = CaptionerParts(len(vocabulary), self.options)
        self.model = self.parts.model
        self.training_model = self.parts.training_model
        self.reader = RegionReader(self.parts.net, self.options["picture_size"])
        self._run = AttentionSearch(
            self.parts.encode,
            self.parts.decoder,
            self.model.variables,
            end=self.coder.end,
            forbidden=RESERVED,
        )

    @classmethod
    def for_data(cls, data, min_count=1, picture_weights=None, **options):
        """Makes an untrained captioner that knows the words of some captions.

        Args:
            data: See `fit`.
            min_count: Words seen less often are left out.
            picture_weights: Where the net's weights come from, see
                `tasks.pictures.published.load_net`. By default those of the model
                `captioning_lstm_attention.flickr8k_en`, or of `keras.applications`.
            **options: See the class.

        Raises:
            ValueError: If there are no examples, or no weights for the net.
        """
        captions = (
            c for example in _some(captions_from(data)) for c in example.captions
        )
        task = cls(CaptionCoder.learn(captions, min_count).vocabulary, **options)
        load_net(task.parts.net, task.options, picture_weights)
        return task

    @classmethod
    def parts_of(cls, assets, options):
        return {"vocabulary": Vocabulary.from_text(assets["words.txt"])}

    def assets(self):
        return {"words.txt": self.coder.vocabulary.text()}

    def answers_to(self, inputs):
        return [
            {"picture": picture, "text": result.text}
            for picture, result in zip(inputs, self.predict(inputs), strict=True)
        ]

    # === Answers ===

    def predict(
        self,
        inputs,
        batch_size=32,
        *,
        beam_width=5,
        length_penalty=0.6,
        no_repeat_ngram=0,
        output=None,
        verbose="auto",
    ):
        """Writes captions of pictures.

        Args:
            inputs: A picture: a path, the bytes of a file, a PIL image, or an array
                `(height, width, 3)` of integers from 0 to 255 or floats from 0 to 1;
                of any size and mode. Or a list of pictures, or the path of a folder,
                whose pictures are taken by name.
            batch_size: Most pictures at once.
            beam_width, length_penalty, no_repeat_ngram: See
                `tasks.decoding.beam.BeamSearch`; `beam_width=1` is greedy.
            output: Path of a file to add each picture's name and caption to, with a tab
                between them, as soon as they are there.
            verbose: Whether to show a progress bar; by default with 20 batches or more.

        Returns:
            `tasks.captions.Caption`, or for several pictures a list of them.

        Raises:
            FileNotFoundError: If there is no such file.
            TypeError: If the input is of another kind.
            ValueError: If a picture cannot be read, or a number is out of range. The
                captions of all pictures before it are in the error's `results`.
        """
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be positive. Received: {batch_size}")
        how = self._how(beam_width, length_penalty, no_repeat_ngram)
        single, pictures = pictures_from(inputs)
        starts = range(0, len(pictures), batch_size)
        many = len(starts) >= 20 if verbose == "auto" else bool(verbose)
        bar = keras.utils.Progbar(len(starts), verbose=1 if many else 0)
        results = []
        for start in starts:
            few = pictures[start : start + batch_size]
            arrays, error = self._readable(few)
            found = self._captions(few[: len(arrays)], arrays, how, batch_size)
            results += found
            if output is not None:
                _add_lines(output, found)
            if error is not None:
                error.results = results
                error.add_note(f"{len(results)} captions are in the error's `results`.")
                raise error
            bar.add(1)
        return results[0] if single else results

    def _how(self, beam_width=5, length_penalty=0.6, no_repeat_ngram=0):
        return BeamSearch(
            beam_width,
            max_length=self.options["max_words"] + 1,
            min_length=2,  # a caption has a word before its end
            length_penalty=length_penalty,
            no_repeat_ngram=no_repeat_ngram,
        )

    def _readable(self, pictures):
        """Arrays of pictures up to one that cannot be read, and that one's error."""
        arrays = []
        for picture in pictures:
            try:
                arrays.append(self.reader.arrays([picture])[0])
            except (OSError, TypeError, ValueError) as error:
                return arrays, error
        return arrays, None

    def _captions(self, pictures, arrays, how, batch_size):
        if not arrays:
            return []
        regions = self.reader.regions(np.stack(arrays))
        return [
            self._caption(picture, answers)
            for picture, answers in zip(
                pictures, self._answers(regions, how, batch_size), strict=True
            )
        ]

    def _answers(self, regions, how, batch_size):
        """What was found for each picture, lists of `Answer`."""
        found = []
        for start in range(0, len(regions), batch_size):
            few = np.asarray(regions[start : start + batch_size], "float32")
            # Few shapes: one for single pictures, one for batches.
            count = len(few)
            rows = few if count == 1 else np.resize(few, (batch_size, *few.shape[1:]))
            ranking = self._run(how, rows)
            found += [ranking.ranked(row, self.coder.end) for row in range(count)]
        return found

    def _caption(self, picture, answers):
        found = [self._one(picture, answer) for answer in answers]
        return replace(found[0], candidates=tuple(found))

    def _one(self, picture, answer):
        words = self.coder.words(answer.ids)
        seen = answer.attention
        if seen is not None:
            seen = seen[: len(words)].reshape(len(words), *self.parts.grid)
        return Caption(
            picture,
            caption_text(words),
            answer.score,
            answer.log_probability,
            words,
            seen,
        )

    def export(self, folder):
        """Writes the model as a TensorFlow SavedModel, with its words beside.

        The signature `serve` takes `pictures`, `target_ids` and `target_mask` and
        returns `logits` and `attention`.

        Args:
            folder: Where; must not exist yet.

        Raises:
            ValueError: If something is there already, or the backend is not
                TensorFlow.
        """
        export_model(self.model, folder, self.assets())

    # === Scores ===

    def evaluate(self, data, batch_size=32, cache_dir=None, **search):
        """Scores captions that the model writes against all that people wrote.

        Args:
            data: See `fit`.
            batch_size: Most pictures at once.
            cache_dir: See `fit`.
            **search: `beam_width`, `length_penalty` and `no_repeat_ngram`, see
                `predict`.

        Returns:
            Dict of floats, see `tasks.metrics.captions.caption_scores`; and `"loss"`,
            the negative log-likelihood of these captions in nats per word.

        Raises:
            ValueError: If there are no examples.
        """
        examples = _some(captions_from(data))
        regions = self._regions(examples, cache_dir)
        return self._scores(examples, regions, self._how(**search), batch_size)

    def _scores(self, examples, regions, how, batch_size=32, meteor=True):
        found = [
            self._one(None, answers[0]).text
            for answers in self._answers(regions, how, batch_size)
        ]
        truth = [example.captions for example in examples]
        loss = self._loss(examples, regions)
        return {**caption_scores(found, truth, meteor), LOSS: loss}

    def _loss(self, examples, regions, batch_size=32):
        batches = CaptionBatches([regions], self._encoded(examples), batch_size)
        return mean_loss(self.parts.reading_model, batches)

    def _encoded(self, examples):
        """Ids of the captions of each picture, with their end."""
        most = self.options["max_words"]
        return [[self.coder.encode(c, most) for c in e.captions] for e in examples]

    def _regions(self, examples, cache_dir, mirror=False, verbose=0):
        pictures = [example.picture for example in examples]
        return self.reader.read(pictures, cache_dir, mirror, verbose)

    # === Training ===

    def fit(
        self,
        data,
        validation_data=None,
        epochs=10,
        batch_size=64,
        learning_rate=1e-3,
        monitor="bleu_4",
        mirror=True,
        cache_dir=None,
        seed=0,
        callbacks=(),
        **run,
    ):
        """Trains on pictures with captions; the net that sees stays as it is.

        Args:
            data: Path of a folder or of a table, a list of `(picture, captions)`, or a
                `tf.data.Dataset`; see `tasks.data.captions.captions_from`.
            validation_data: The same. Scored after each epoch; the weights of the best
                epoch are kept.
            epochs: Passes over the captions.
            batch_size: Captions a step.
            learning_rate: Highest rate of Adam; warms up, then decays.
            monitor: The score that tells the best epoch: `"bleu_1"` to `"bleu_4"`,
                `"cider_d"`, or `"loss"`, which takes no search.
            mirror: Whether to train on mirrored pictures, too.
            cache_dir: Folder to keep what the net sees in, for later runs; some 120
                kilobytes a picture. By default it is kept in memory.
            seed: Decides order, dropout and zoneout.
            callbacks: Keras callbacks.
            **run: `patience`, `verbose`, `checkpoint_dir` (a killed run goes on),
                `optimizer`, `clipnorm`, `jit_compile`: see `tasks.task.Task`.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: If the data cannot be read or are empty.
        """
        if monitor not in MONITORS:
            raise ValueError(f"`monitor` must be one of {MONITORS}. Got: {monitor!r}")
        examples = _some(captions_from(data))
        verbose = run.get("verbose", "auto")
        kinds = (False, True) if mirror else (False,)
        regions = [self._regions(examples, cache_dir, m, verbose) for m in kinds]
        batches = CaptionBatches(
            regions, self._encoded(examples), batch_size, shuffle=True, seed=seed
        )
        if self.options["scheduled_sampling"] is not None:
            callbacks = [scheduled_sampling.SamplingRate(self, epochs), *callbacks]
        best = None
        if validation_data is not None:
            held = _some(captions_from(validation_data))
            score = self._monitored(held, self._regions(held, cache_dir), monitor)
            best = partial(BestWeights, score, f"val_{monitor}", lower=monitor == LOSS)
        return self._fit(
            batches,
            as_dataset(batches),
            _checksum(examples),
            epochs=epochs,
            learning_rate=learning_rate,
            seed=seed,
            best=best,
            callbacks=callbacks,
            **run,
        )

    def _monitored(self, examples, regions, monitor):
        """Function that gives the present score on held-out examples."""
        if monitor == LOSS:
            return lambda: self._loss(examples, regions)
        how = self._how()
        return lambda: self._scores(examples, regions, how, meteor=False)[monitor]


def _some(examples):
    if not examples:
        raise ValueError("`data` is empty: there are no examples.")
    return examples


def _checksum(examples):
    """Tells the training data of one run from those of others."""
    total = hashlib.sha256()
    for example in examples:
        total.update(picture_digest(example.picture))
        total.update("\0".join(example.captions).encode("utf-8", "surrogatepass"))
    return total.hexdigest()[:16]


def _add_lines(path, results):
    with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
        for result in results:
            file.write(f"{picture_name(result.picture)}\t{result.text}\n")
