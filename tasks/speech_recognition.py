"""Speech recognition: what is said in a recording, as text."""

from functools import partial
from zlib import crc32

import numpy as np

from tasks.data.audio import recordings_from
from tasks.data.log_mel import LogMel, learn_scaler
from tasks.data.pipeline import as_dataset
from tasks.data.spec_augment import SpecAugment
from tasks.data.speech import SpeechBatches, spoken_from
from tasks.data.spelling import Speller, check_steps, tidy
from tasks.data.vocabulary import Vocabulary
from tasks.decoding.ctc import PathSearch, PrefixSearch
from tasks.decoding.lexicon import Lexicon
from tasks.exports import export_model
from tasks.listening import Listener
from tasks.metrics.speech import transcript_scores
from tasks.speech_export import export_transcripts
from tasks.speech_recognizer import build_recognizer
from tasks.task import Task
from tasks.training import BestWeights
from tasks.watching import SHOWN
from tasks.writing import check_batch_size, some
from zoo.preset import loadable

OPTIONS = dict(
    sample_rate=16_000,
    window=0.025,
    step=0.01,
    num_mels=80,
    normalization="utterance",
    reduction="convolution",
    time_reduction=2,
    filters=8,
    layer="zoneout_lstm",
    layer_options={},
    units=256,
    num_layers=3,
    bidirectional=True,
    connection=None,
    dropout=0.2,
    hidden_dropout=0.1,
    max_seconds=30.0,
    lexicon=None,
)
MONITORS = ("wer", "cer")


@loadable
class SpeechRecognizer(Task):
    """Writes down what is said: recurrent layers over a spectrogram, and CTC.

    The model gives each step of some hundredths of a second a character, or none; it
    learns from recordings with their texts alone, and finds out by itself when each
    character is spoken.

    Args:
        vocabulary: `tasks.data.vocabulary.Vocabulary` of the characters of texts.
        scaler: Float array `(2, num_mels)`, means and deviations of features, for
            `normalization="corpus"`.
        sample_rate: Samples per second that are read; recordings are brought to it.
        window, step, num_mels, normalization: See `tasks.data.log_mel.LogMel`.
        reduction, time_reduction, filters: How frames become steps: kind, number and
            filters; see `tasks.speech_recognizer.TimeReduction`.
        layer: Name of a layer of `zoo.layers`: `"zoneout_lstm"`, `"qrnn"`, ...
        layer_options: Dict of further options of each layer.
        units, num_layers: Size (in each direction) and number of the layers.
        bidirectional: Whether recordings are read in both directions.
        connection: `None`, `"residual"`, `"highway"` or `"dense"`, see
            `zoo.layers.Stack`.
        dropout: Rate of dropout on what the layers read, and on what they give.
        hidden_dropout: Rate of variational dropout between layers.
        max_seconds: Longer recordings are read in pieces of at most so many seconds,
            cut where it is quiet; in training they are refused.
        lexicon: List of the words that may be heard, in any order and number, or `None`
            for any. Can be changed when a recognizer is loaded.

    Raises:
        TypeError: If `lexicon` is no list of strings.
        ValueError: If an option is unknown or out of range, or a word of `lexicon` has
            characters that are not in the vocabulary.

    Example:

    >>> import numpy as np
    >>> high, low = (np.sin(np.arange(4000) * pitch) for pitch in (1.5, 0.3))
    >>> data = [((high, 8000), "high"), ((low, 8000), "low")] * 4
    >>> small = dict(sample_rate=8000, num_mels=20, units=8, num_layers=1)
    >>> model = SpeechRecognizer.for_data(data, **small)
    >>> _ = model.fit(data, epochs=1, verbose=0)
    >>> type(model.predict(high, rate=8000).text)
    <class 'str'>

    References:
        - Graves, Fernández, Gomez and Schmidhuber, [Connectionist temporal
          classification](https://dl.acm.org/doi/10.1145/1143844.1143891), 2006
        - Graves and Jaitly, [Towards end-to-end speech recognition with recurrent
          neural networks](https://proceedings.mlr.press/v32/graves14.html), 2014
        - Amodei et al., [Deep Speech 2](https://arxiv.org/abs/1512.02595), 2015
    """

    task = "speech_recognition"
    defaults = OPTIONS
    head = ("logits",)
    example_key = "recording"

    def __init__(self, vocabulary, scaler=None, **options):
        self.options = self._complete(options)
        self.speller, self.scaler = Speller(vocabulary), scaler
        self.log_mel = _log_mel(self.options, scaler)
        words = self.options["lexicon"]
        self.lexicon = None if words is None else Lexicon.of(words, self.speller)
        if not self.options["max_seconds"] >= 1:
            raise ValueError(
                "`max_seconds` must be at least 1. Received: "
                f"{self.options['max_seconds']!r}"
            )
        self.model, self.training_model = build_recognizer(
            len(vocabulary), self.options
        )
        self.listener = Listener(
            self.model,
            self.log_mel,
            self.speller,
            self.options["time_reduction"],
            self.options["max_seconds"],
        )

    @classmethod
    def for_data(cls, data, rate=None, **options):
        """Makes an untrained recognizer that knows the characters of some texts.

        Args:
            data: See `fit`.
            rate: Samples per second of arrays that come without.
            **options: See the class.

        Raises:
            ValueError: If there are no examples.
        """
        examples = some(spoken_from(data))
        vocabulary = Speller.learn(example.text for example in examples).vocabulary
        task = cls(vocabulary, **options)
        if task.options["normalization"] != "corpus":
            return task
        samples = task.listener.samples([e.recording for e in examples], rate)
        return cls(vocabulary, learn_scaler(task.log_mel.of(samples)), **options)

    @classmethod
    def parts_of(cls, assets, options):
        parts = {"vocabulary": Vocabulary.from_text(assets["characters.txt"])}
        if "scaler.txt" in assets:
            rows = [line.split() for line in assets["scaler.txt"].splitlines()]
            parts["scaler"] = np.array(rows, "float32").T
        return parts

    def assets(self):
        texts = {"characters.txt": self.speller.vocabulary.text()}
        if self.scaler is not None:
            rows = (f"{mean!r} {width!r}\n" for mean, width in self.scaler.T.tolist())
            texts["scaler.txt"] = "".join(rows)
        return texts

    def answers_to(self, inputs):
        return [
            {"recording": recording, "text": result.text}
            for recording, result in zip(inputs, self.predict(inputs), strict=True)
        ]

    # === Answers ===

    def predict(
        self, inputs, batch_size=32, *, rate=None, beam_width=10, verbose="auto"
    ):
        """Writes down what is said in recordings.

        Args:
            inputs: A recording: the path or the bytes of a WAV file (of any kind of
                sound file, if soundfile is installed), an array of samples `(time,)` or
                `(time, channels)`, or a pair of one and its samples per second. Or a
                list of recordings, or the path of a folder, whose recordings are taken
                by name. Channels are mixed, and any rate is brought to `sample_rate`.
            batch_size: Most recordings, or pieces of long ones, at once.
            rate: Samples per second of arrays that come without.
            beam_width: See `tasks.decoding.ctc.PrefixSearch`; 1 takes the likeliest
                character at each step, which a lexicon does not allow.
            verbose: Whether to show a progress bar; by default with 20 batches or more.

        Returns:
            `tasks.transcripts.Transcript`, or for several recordings a list of them.
            Nothing is heard in one without samples.

        Raises:
            FileNotFoundError: If there is no such file.
            TypeError: If the input is of another kind.
            ValueError: If a recording cannot be read, or a number is out of range.
        """
        check_batch_size(batch_size)
        how = self._search(beam_width)
        single, recordings = recordings_from(inputs)
        results = self.listener.transcripts(recordings, how, batch_size, rate, verbose)
        return results[0] if single else results

    def export(self, folder, *, strings=True, beam_width=10):
        """Writes the model as a TensorFlow SavedModel.

        Args:
            folder: Where; must not exist yet.
            strings: Whether it maps samples to texts, search included; see
                `tasks.speech_export.export_transcripts`. If not, its signature `serve`
                takes `features` and `mask` and returns `log_probabilities` and `mask`;
                the characters lie beside.
            beam_width: Of the search; see `predict`.

        Raises:
            ValueError: If something is there already, or the backend is not
                TensorFlow.
        """
        if strings:
            export_transcripts(self, folder, self._search(beam_width))
        else:
            export_model(self.model, folder, self.assets())

    # === Scores ===

    def evaluate(self, data, batch_size=32, *, rate=None, beam_width=10):
        """Scores transcripts against what was said.

        Args:
            data: See `fit`.
            batch_size, rate, beam_width: See `predict`.

        Returns:
            Dict of floats: `"wer"` and `"cer"`, word and character error rates as
            fractions of 1, see `tasks.metrics.speech.transcript_scores`.

        Raises:
            ValueError: If the data cannot be read or are empty.
        """
        check_batch_size(batch_size)
        examples = some(spoken_from(data))
        found = self.listener.transcripts(
            [example.recording for example in examples],
            self._search(beam_width),
            batch_size,
            rate,
            timed=False,
        )
        return transcript_scores(
            [result.text for result in found], [example.text for example in examples]
        )

    # === Training ===

    def fit(
        self,
        data,
        validation_data=None,
        epochs=30,
        batch_size=32,
        learning_rate=1e-3,
        monitor="wer",
        masks=2,
        time_mask=0.1,
        mel_mask=0.15,
        stretch=0.0,
        warp=0.0,
        rate=None,
        seed=0,
        **run,
    ):
        """Trains on recordings with their texts.

        Args:
            data: Path of a folder or of a table, a list of `(recording, text)`, or a
                `tf.data.Dataset`; see `tasks.data.speech.spoken_from`. What `predict`
                takes is a recording.
            validation_data: The same. Scored after each epoch, by the likeliest
                character at each step, whatever the lexicon; the weights of the best
                epoch are kept.
            epochs: Passes over the data.
            batch_size: Recordings a step.
            learning_rate: Highest rate of Adam; warms up, then decays.
            monitor: The score that tells the best epoch, `"wer"` or `"cer"`.
            masks, time_mask, mel_mask, stretch, warp: How recordings are changed at
                random, see `tasks.data.spec_augment.SpecAugment`.
            rate: Samples per second of arrays that come without.
            seed: Decides order, masks, dropout and zoneout.
            **run: `patience`, `verbose`, `resume_dir` (a killed run goes on),
                `callbacks`, `optimizer`, `clipnorm`, `jit_compile`: see
                `tasks.task.Task`.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: If the data cannot be read, are empty, have characters the
                recognizer does not know or words that its lexicon lacks, or too little
                sound for a text.
        """
        if monitor not in MONITORS:
            raise ValueError(f"`monitor` must be one of {MONITORS}. Got: {monitor!r}")
        augment = SpecAugment(masks, time_mask, mel_mask, stretch, warp)
        features, texts, checksum = self._read(data, rate)
        Lexicon.check_texts(self.options["lexicon"], texts)
        ids = [self.speller.encode(text, n) for n, text in enumerate(texts)]
        check_steps(features, ids, texts, self.options["time_reduction"])
        batches = SpeechBatches(
            features,
            ids,
            batch_size,
            reduction=self.options["time_reduction"],
            augment=augment,
            shuffle=True,
            seed=seed,
        )
        best = show = None
        if validation_data is not None:
            held = some(spoken_from(validation_data))
            score = partial(self._score, monitor, *self._read(held, rate)[:2])
            first = [example.recording for example in held[:SHOWN]]
            show = partial(self.predict, first, rate=rate)
            best = partial(BestWeights, score, f"val_{monitor}", lower=True)
        return self._fit(
            batches,
            as_dataset(batches),
            checksum,
            epochs=epochs,
            learning_rate=learning_rate,
            seed=seed,
            best=best,
            show=show,
            **run,
        )

    def _search(self, beam_width):
        if beam_width == 1 and not isinstance(beam_width, bool) and not self.lexicon:
            return PathSearch()
        try:
            return PrefixSearch(beam_width, lexicon=self.lexicon)
        except ValueError as error:
            message = str(error).replace("`width`", "`beam_width`")
            raise ValueError(message) from None

    def _score(self, monitor, features, texts):
        found = self.listener.texts(features, PathSearch(), 32)
        return transcript_scores(found, texts)[monitor]

    def _read(self, data, rate):
        """Features and texts of data, and a number that tells them from others."""
        examples = some(spoken_from(data))
        samples = self.listener.samples([e.recording for e in examples], rate)
        texts = [tidy(example.text) for example in examples]
        checksum = 0
        for number, (x, text) in enumerate(zip(samples, texts, strict=True)):
            seconds = len(x) / self.log_mel.sample_rate
            if seconds > self.options["max_seconds"]:
                raise ValueError(
                    f"Example {number} lasts {seconds:.1f} s, longer than max_seconds="
                    f"{self.options['max_seconds']}: cut it up, with its text."
                )
            checksum = crc32(x.tobytes(), checksum)
            checksum = crc32(text.encode("utf-8", "surrogatepass"), checksum)
        return self.log_mel.of(samples), texts, checksum


def _log_mel(options, scaler):
    names = ("sample_rate", "window", "step", "num_mels", "normalization")
    return LogMel(**{name: options[name] for name in names}, scaler=scaler)
