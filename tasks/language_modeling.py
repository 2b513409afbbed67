"""Language modelling: text that goes on, and how surprising a text is."""

import math
from functools import partial
from zlib import crc32

from tasks.adaptation import take_over
from tasks.averaging import AveragedSGD, BestAverages
from tasks.data.pipeline import as_dataset
from tasks.data.text_streams import StreamBatches
from tasks.data.texts import prompts_from, texts_from
from tasks.data.tokenizers import tokenizer_class, tokenizer_from
from tasks.decoding.generation import Generator
from tasks.decoding.sampling import Sampling
from tasks.exports import export_model
from tasks.language_model import LanguageModelParts, distributed_training_model
from tasks.language_model_reader import Reader, scores
from tasks.surprise import Surprise
from tasks.task import Task
from tasks.training import BestWeights
from tasks.writing import check_batch_size
from zoo.preset import loadable

SIZES = dict(
    level="char",
    layer="zoneout_lstm",
    layer_options={},
    units=256,
    num_layers=1,
    connection=None,
    embedding_dim=64,
    tied=False,
    sampled=0,
    embedding_dropout=0.0,
    input_dropout=0.0,
    hidden_dropout=0.0,
    output_dropout=0.0,
    ar=0.0,
    tar=0.0,
)


@loadable
class LanguageModel(Task):
    """Guesses the next character, piece of a word, or word.

    An embedding, a stack of any recurrent layer of the zoo, and a softmax. Training
    carries the states from batch to batch (truncated backpropagation); generation and
    scores run in compiled loops.

    Args:
        tokenizer: A tokenizer of `tasks.data.tokenizers`, of the level `level`.
        level: `"char"`, `"subword"` or `"word"`.
        layer: Name of a layer of `zoo.layers` that runs forwards.
        layer_options: Dict of further options of each layer, such as `zoneout_h`.
        units, num_layers: Size and number of the layers.
        connection: `None`, `"residual"`, `"highway"` or `"dense"`, see
            `zoo.layers.Stack`.
        embedding_dim: Size of the vectors of tokens.
        tied: Whether the softmax uses the embedding's matrix.
        sampled: Number of words that the softmax is trained on at a time, beside the
            right one, for large vocabularies; 0 for all. Scores count all.
        embedding_dropout: Part of the vocabulary that is dropped whole.
        input_dropout, hidden_dropout, output_dropout: Rates of variational dropout on
            the vectors, between layers, and on the last outputs.
        ar, tar: Weights of activation and temporal activation regularisation.

    Example:

    >>> text = "to be, or not to be. " * 100
    >>> model = LanguageModel.for_text(text, units=16, embedding_dim=8)
    >>> _ = model.fit(text, epochs=1, batch_size=4, chunk=20, verbose=0)
    >>> len(model.generate("to", max_tokens=10, seed=1).text)
    10

    References:
        - Merity, Keskar and Socher, [Regularizing and optimizing LSTM language
          models](https://arxiv.org/abs/1708.02182), 2018
        - Krueger et al., [Zoneout](https://arxiv.org/abs/1606.01305), 2017
    """

    task = "language_modeling"
    defaults = SIZES
    example_key = "prompt"

    def __init__(self, tokenizer, **options):
        self.options = self._complete(options)
        if tokenizer.level != self.options["level"]:
            raise ValueError(
                f"`tokenizer` is one of level {tokenizer.level!r}; "
                f"`level` is {self.options['level']!r}."
            )
        self.tokenizer = tokenizer
        self.parts = LanguageModelParts(len(tokenizer), self.options)
        self.model, self.reader = self.parts.model, Reader(self.parts)
        self.training_model = None
        self._generator = None

    @classmethod
    def for_text(cls, text, level="char", vocabulary_size=None, min_count=1, **options):
        """Makes an untrained model whose vocabulary is that of a text.

        Args:
            text: See `fit`.
            level: `"char"`, `"subword"` or `"word"`.
            vocabulary_size: Most tokens to know; for `"subword"` 8,000 by default.
            min_count: How often a character or word must be there to be known.
            **options: See the class.
        """
        texts = _some(texts_from(text))
        sizes = {} if vocabulary_size is None else {"size": vocabulary_size}
        tokenizer = tokenizer_class(level).learn(texts, min_count=min_count, **sizes)
        return cls(tokenizer, level=level, **options)

    @classmethod
    def parts_of(cls, assets, options):
        tokenizer = tokenizer_from(options["level"], assets["tokenizer.txt"])
        return {"tokenizer": tokenizer}

    def assets(self):
        return {"tokenizer.txt": self.tokenizer.text()}

    def answers_to(self, inputs):
        return [{"prompt": p, **self._example(p)} for p in inputs]

    def _example(self, prompt):
        said = self.generate(prompt, max_tokens=40, temperature=0.0)
        return {"text": said.text, "bits": round(self.score(prompt).bits, 3)}

    # === Generation ===

    def generate(
        self,
        prompt="",
        max_tokens=200,
        *,
        temperature=1.0,
        top_k=None,
        top_p=None,
        repetition_penalty=1.0,
        stop=(),
        seed=None,
    ):
        """Goes on with a text.

        Args:
            prompt: A string, or a list of strings to go on with side by side. What is
                said after one depends on it and the seed alone, not on the others.
            max_tokens: Most tokens to add.
            temperature, top_k, top_p, repetition_penalty: See
                `tasks.decoding.sampling.Sampling`; `temperature=0` is without chance.
            stop: A string, or a list of them: the text ends before the first one.
            seed: Integer; the same seed gives the same text. `None` for a new one.

        Returns:
            `tasks.decoding.generation.Generation`, or for a list a list of them.

        Raises:
            TypeError: If `prompt` is not of strings.
            ValueError: If a number is out of range.
        """
        single, prompts = prompts_from(prompt)
        how = Sampling(temperature, top_k, top_p, repetition_penalty)
        results = self.generator.generate(prompts, max_tokens, how, stop, seed)
        return results[0] if single else results

    def stream(self, prompt="", max_tokens=200, *, stop=(), seed=None, **sampling):
        """Iterates over the text that follows a prompt, piece by piece.

        Args:
            prompt: A string.
            max_tokens, stop, seed, **sampling: See `generate`, which says the same.

        Returns:
            Iterator of strings.

        Raises:
            TypeError: If `prompt` is no string.
            ValueError: If a number is out of range.
        """
        if not isinstance(prompt, str):
            raise TypeError(f"Expected one prompt, a string. Received: {prompt!r:.80}")
        how = Sampling(**sampling)
        return self.generator.stream(prompt, max_tokens, how, stop, seed)

    def predict(self, inputs, batch_size=64, **options):
        """`generate` with a fixed seed, for `batch_size` prompts at once."""
        check_batch_size(batch_size)
        single, prompts = prompts_from(inputs)
        options = {"seed": 0, **options}
        parts = range(0, len(prompts), batch_size)
        found = [self.generate(prompts[i : i + batch_size], **options) for i in parts]
        results = [result for part in found for result in part]
        return results[0] if single else results

    @property
    def generator(self):
        """The compiled `Generator` of this model."""
        if self._generator is None:
            self._generator = Generator(self.parts, self.tokenizer)
        return self._generator

    # === Scores ===

    def score(self, text):
        """How surprising a text is, token by token.

        Args:
            text: A string, or a list of strings.

        Returns:
            `tasks.surprise.Surprise`, or for a list a list of them.
        """
        single, texts = prompts_from(text)
        results = []
        for one in texts:
            losses = self.reader.losses(self.tokenizer.encode(one))
            tokens = self.tokenizer.tokens(one)
            results.append(Surprise(one, tokens, losses / math.log(2)))
        return results[0] if single else results

    def evaluate(self, data, batch_size=1, chunk=256, dynamic=None):
        """Scores the model on a text: its own text so far is all it knows.

        Args:
            data: See `fit`.
            batch_size: Parts that are read side by side. More are faster; every part
                but the first begins without what came before it, which costs a little.
            chunk: Tokens per compiled call; does not change the score.
            dynamic: A learning rate: the model learns from each chunk, by a step of
                SGD, once that chunk has been scored (dynamic evaluation; say so
                beside the score). It forgets all of that in the end.

        Returns:
            Dict of floats: `"loss"` in nats per token, `"perplexity"` per token,
            `"bits_per_character"`, which counts the characters of the text, and
            `"accuracy"`, the part of the tokens that was thought the likeliest.

        Raises:
            ValueError: If there is no text.

        Reference:
            - Krause et al., [Dynamic evaluation of neural sequence models](
              https://arxiv.org/abs/1709.07432), 2018
        """
        check_batch_size(batch_size)
        texts = texts_from(data)
        documents = [self.tokenizer.encode(text) for text in texts]
        batches = StreamBatches(documents, batch_size, chunk)
        characters = sum(map(len, texts))
        if dynamic is not None:
            loss = self.reader.dynamic_loss(batches, dynamic)
            return scores(loss, batches.tokens, characters)
        loss, hits = self.reader.read(batches)
        return {
            **scores(loss, batches.tokens, characters),
            "accuracy": hits / batches.tokens,
        }

    def adapted_to(self, text, **options):
        """A copy of this model with the vocabulary of another text.

        Tokens that both know keep their vectors, and their places in the softmax; new
        ones begin with the mean of all. The pieces of a `"subword"` model stay.

        Args:
            text: See `fit`.
            **options: Options of the model that differ, such as rates of dropout.
        """
        options, tokenizer = {**self.options, **options}, self.tokenizer
        if tokenizer.level != "subword":
            tokenizer = type(tokenizer).learn(texts_from(text))
        other = LanguageModel(tokenizer, **options)
        take_over(other, self)
        return other

    def export(self, folder):
        """Writes the model as a TensorFlow SavedModel, with its tokenizer beside.

        The signature `serve` takes `token_ids` and `mask` `(batch, time)` and returns
        `logits` `(batch, time, vocabulary)`.

        Args:
            folder: Where; must not exist yet.

        Raises:
            ValueError: If something is there already, or the backend is not
                TensorFlow.
        """
        export_model(self.model, folder, self.assets())

    # === Training ===

    def fit(
        self,
        data,
        validation_data=None,
        epochs=3,
        batch_size=32,
        chunk=100,
        learning_rate=2e-3,
        optimizer=None,
        seed=0,
        reset_rate=0.01,
        **run,
    ):
        """Trains on text.

        Args:
            data: A string; a `pathlib.Path` of a UTF-8 file; or a list, another
                iterable or a `tf.data.Dataset` of these, each a document that begins
                without a memory of the others.
            validation_data: The same. Scored after each epoch (`val_loss`, nats per
                token); the weights of the best epoch are kept.
            epochs: Passes over the text.
            batch_size: Streams that are read side by side.
            chunk: Tokens per step and stream; gradients go back no further.
            learning_rate: Highest rate of Adam; warms up, then decays.
            optimizer: Keras optimizer to use instead of Adam, with a rate and clipping
                of its own; `tasks.averaging.AveragedSGD` needs validation data.
            seed: Decides order, dropout and zoneout.
            reset_rate: Part of the chunks that are read from an empty state, as a
                prompt is later. Without it a model of one long text meets no beginning
                but those of its epochs, and may fail on any other.
            **run: `patience`, `verbose`, `resume_dir` (a killed run goes on),
                `callbacks`, `clipnorm`, `jit_compile`: see `tasks.task.Task`.

        Returns:
            `keras.callbacks.History`.

        Raises:
            TypeError: If the data is no text.
            ValueError: If there is no text, or it is no UTF-8.

        Reference:
            - Melis et al., [On the state of the art of evaluation in neural language
              models](https://arxiv.org/abs/1707.05589), 2018, for resets
        """
        check_batch_size(batch_size)
        texts = _some(texts_from(data))
        documents = [self.tokenizer.encode(text) for text in texts]
        batches = StreamBatches(
            documents, batch_size, chunk, shuffle=True, seed=seed, reset_rate=reset_rate
        )
        self.training_model = distributed_training_model(
            self.parts, batch_size, self.strategy, run.get("shard")
        )
        averaged = isinstance(optimizer, AveragedSGD)
        if averaged and validation_data is None:
            raise ValueError(
                "AveragedSGD averages once scores on `validation_data` stop getting "
                "better: give some."
            )
        best = show = None
        if validation_data is not None:
            held = _some(texts_from(validation_data))
            show = partial(self._samples, held)
            best = partial(
                BestAverages if averaged else BestWeights,
                # In chunks as short as those of training: short documents fill them.
                lambda: self.evaluate(held, batch_size=8, chunk=chunk)["loss"],
                "val_loss",
                lower=True,
            )
        return self._fit(
            batches,
            as_dataset(batches),
            crc32("\0".join(texts).encode("utf-8", "surrogatepass")),
            epochs=epochs,
            learning_rate=learning_rate,
            optimizer=optimizer,
            seed=seed,
            best=best,
            show=show,
            **run,
        )

    def _samples(self, texts):
        """What it says by itself, and how surprised it is at the first of the texts."""
        first = next(text for text in texts if text)[:400]
        said = self.generate(max_tokens=200, temperature=0.8, seed=0)
        return [said, self.score(first)]


def _some(texts):
    """The texts, of which one must say something."""
    if not any(texts):
        raise ValueError("The text is empty: there is nothing to learn from.")
    return texts
