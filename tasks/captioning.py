"""Captioning: what is in a picture, in a sentence."""

from functools import partial

from tasks import self_critical
from tasks.caption_scorer import LOSS, MONITORS, CaptionScorer
from tasks.caption_writer import CaptionWriter
from tasks.captioner import CaptionerParts
from tasks.data.caption_words import CaptionCoder
from tasks.data.captions import CaptionBatches, captions_checksum, captions_from
from tasks.data.pictures import pictures_from
from tasks.data.pipeline import as_dataset
from tasks.data.regions import RegionReader
from tasks.data.vocabulary import Vocabulary
from tasks.decoding.random_search import search_of
from tasks.exports import export_model
from tasks.picture_export import export_captions
from tasks.pictures.published import load_net
from tasks.task import Task
from tasks.training import BestWeights
from tasks.watching import SHOWN
from tasks.writing import Writing, check_batch_size, some
from zoo.preset import loadable

OPTIONS = dict(
    features="mobilenet_v2",
    feature_options={},
    picture_size=224,
    mirrored=False,
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
class Captioner(Writing, Task):
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
        mirrored: Whether the mirror image of a picture is looked at, too. No weight
            is of another shape: `zoo.load(name, mirrored=True)` looks twice with what
            was trained to look once, which takes the net that sees twice as long.
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
        self.coder = CaptionCoder(vocabulary)
        parts = CaptionerParts(len(vocabulary), self.options)
        self._hold(parts, parts.encode, self.coder.end)
        self.reader = RegionReader(
            parts.net, self.options["picture_size"], views=parts.views
        )
        self.writer = CaptionWriter(
            self.reader, self._run, self.coder, (parts.views, *parts.grid)
        )
        self.scorer = CaptionScorer(
            self.writer, parts.reading_model, self.options["max_words"]
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
            c for example in some(captions_from(data)) for c in example.captions
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
        temperature=None,
        top_k=None,
        top_p=None,
        seed=0,
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
            temperature, top_k, top_p: Given a temperature, `beam_width` captions are
                drawn at random, see `tasks.decoding.sampling.Sampling`. What is drawn
                depends on the picture and on `seed` alone.
            seed: Integer of at least 0, for these.
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
        check_batch_size(batch_size)
        chance = dict(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
        how = self._how(beam_width, length_penalty, no_repeat_ngram, **chance)
        single, pictures = pictures_from(inputs)
        results = self.writer.captions(pictures, how, batch_size, output, verbose)
        return results[0] if single else results

    def _how(self, beam_width=5, length_penalty=0.6, no_repeat_ngram=0, **chance):
        return search_of(
            beam_width,
            length_penalty,
            no_repeat_ngram=no_repeat_ngram,
            max_length=self.options["max_words"] + 1,
            min_length=2,  # a caption has a word before its end
            **chance,
        )

    def export(
        self,
        folder,
        *,
        strings=True,
        beam_width=5,
        length_penalty=0.6,
        no_repeat_ngram=0,
    ):
        """Writes the model as a TensorFlow SavedModel.

        Args:
            folder: Where; must not exist yet.
            strings: Whether it maps pictures to captions, search included; see
                `tasks.picture_export.export_captions`. If not, its signature `serve`
                takes `pictures`, `target_ids` and `target_mask` and returns `logits`
                and `attention`; the words lie beside.
            beam_width, length_penalty, no_repeat_ngram: Of the search; see `predict`.

        Raises:
            ValueError: If something is there already, or the backend is not
                TensorFlow.
        """
        if strings:
            how = self._how(beam_width, length_penalty, no_repeat_ngram)
            export_captions(self, folder, how)
        else:
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
        examples = some(captions_from(data))
        regions, how = self.scorer.regions(examples, cache_dir), self._how(**search)
        return self.scorer.scores(examples, regions, how, batch_size)

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
            mirror: Whether to train on mirrored pictures, too; a captioner with
                `mirrored` does so anyway.
            cache_dir: Folder to keep what the net sees in, for later runs; some 120
                kilobytes a picture, twice that with `mirrored`. By default it is kept
                in memory.
            seed: Decides order, dropout and zoneout.
            callbacks: Keras callbacks.
            **run: `patience`, `verbose`, `resume_dir` (a killed run goes on),
                `optimizer`, `clipnorm`, `jit_compile`: see `tasks.task.Task`.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: If the data cannot be read or are empty.
        """
        examples, regions, more = self._begun(
            data, validation_data, monitor, mirror, cache_dir, run.get("verbose")
        )
        ids = self.scorer.encoded(examples)
        batches = CaptionBatches(regions, ids, batch_size, shuffle=True, seed=seed)
        return self._train(
            batches,
            captions_checksum(examples),
            epochs=epochs,
            learning_rate=learning_rate,
            seed=seed,
            callbacks=callbacks,
            **more,
            **run,
        )

    def fit_self_critical(
        self,
        data,
        validation_data=None,
        epochs=20,
        batch_size=64,
        learning_rate=5e-5,
        reward="cider_d",
        samples=5,
        pictures=1000,
        monitor="cider_d",
        mirror=True,
        cache_dir=None,
        seed=0,
        callbacks=(),
        **run,
    ):
        """Trains on scores of the model's own captions; after `fit`.

        In each epoch it draws captions of some pictures; those that score better than
        the others of their picture become likelier. See `tasks.self_critical`.

        Args:
            data, validation_data, mirror, cache_dir, seed, callbacks: See `fit`.
            epochs: How often to draw.
            batch_size: Captions a step.
            learning_rate: Highest rate of Adam; a small part of that of `fit`.
            reward: `"cider_d"`, or `"bleu_4"`; or a dict of the weights of both, see
                `tasks.self_critical.Settings`.
            samples: Captions of each picture, at least 2.
            pictures: Pictures of an epoch, drawn at random.
            monitor: See `fit`.
            **run: See `fit`.

        Returns:
            `keras.callbacks.History`, with `"reward"`, the mean of what was drawn.

        Raises:
            ValueError: If a number is out of range, or the data cannot be read.

        References:
            - Rennie et al., [Self-critical sequence training for image captioning](
              https://arxiv.org/abs/1612.00563), 2017
        """
        settings = self_critical.Settings.checked(reward, samples, pictures)
        examples, regions, more = self._begun(
            data, validation_data, monitor, mirror, cache_dir, run.get("verbose")
        )
        how = self._how(samples, temperature=1.0)
        batches = self_critical.drawn_captions(
            self.writer, how, examples, regions, settings, batch_size, seed
        )
        if self.options["scheduled_sampling"] is not None:
            # What is weighed is the likelihood of the captions as they were drawn.
            self.parts.decoder.sampling_rate.assign(0.0)
        return self._fit(
            batches,
            as_dataset(batches),
            f"{captions_checksum(examples)} {settings}",
            model=self.parts.rewarded_model,
            epochs=epochs,
            learning_rate=learning_rate,
            seed=seed,
            callbacks=[self_critical.Drawing(batches), *callbacks],
            **more,
            **run,
        )

    def _begun(self, data, validation_data, monitor, mirror, cache_dir, verbose):
        """Examples, their regions, and what tells the best epoch."""
        if monitor not in MONITORS:
            raise ValueError(f"`monitor` must be one of {MONITORS}. Got: {monitor!r}")
        examples = some(captions_from(data))
        verbose = "auto" if verbose is None else verbose
        # Who looks at both sides sees the same in a mirrored picture.
        kinds = (False, True) if mirror and self.parts.views == 1 else (False,)
        regions = [
            self.scorer.regions(examples, cache_dir, kind, verbose) for kind in kinds
        ]
        best = show = None
        if validation_data is not None:
            held = some(captions_from(validation_data))
            seen, how = self.scorer.regions(held, cache_dir), self._how()
            score = partial(self.scorer.score, monitor, held, seen, how)
            best = partial(BestWeights, score, f"val_{monitor}", lower=monitor == LOSS)
            show = partial(self.predict, [e.picture for e in held[:SHOWN]])
        return examples, regions, {"best": best, "show": show}
