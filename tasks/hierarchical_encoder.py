"""Documents: words make sentences, sentences make a document, each by attention."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="tasks")
class HierarchicalEncoder(layers.Layer):
    """Reads each sentence of a document on its own, then the sentences.

    Words come in one row, every sentence in a field of the same length: what a sentence
    leaves over is padding, wherever it stands.

    Args:
        words: `zoo.layers.Stack` with `return_sequences=True`, over words.
        word_pooling: `tasks.text_classifier.AttentionPooling` of a sentence.
        sentences: `zoo.layers.Stack` with `return_sequences=True`, over sentences.
        sentence_pooling: `AttentionPooling` of the document.
        sentence_length: Length of the fields, in words.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `(batch, time, features)`, the time a multiple of `sentence_length`.
        mask: Boolean `(batch, time)`, true for words.

    Returns:
        A vector for each document `(batch, features)`, and the attention to its words
        `(batch, time)`, float32: that to a sentence, spread over its words.

    Reference:
        - Yang et al., [Hierarchical attention networks for document classification](
          https://aclanthology.org/N16-1174/), 2016
    """

    def __init__(
        self,
        words,
        word_pooling,
        sentences,
        sentence_pooling,
        sentence_length,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.words, self.word_pooling = words, word_pooling
        self.sentences, self.sentence_pooling = sentences, sentence_pooling
        self.sentence_length = sentence_length
        self.supports_masking = True

    def build(self, input_shape):
        size = self.sentence_length
        self.words.build((None, size, input_shape[-1]))
        inner = self.words.output_size
        self.word_pooling.build((None, size, inner))
        self.sentences.build((input_shape[0], None, inner))
        self.sentence_pooling.build((input_shape[0], None, self.sentences.output_size))
        self.built = True

    def call(self, inputs, mask, training=None):
        batch, time, features = ops.shape(inputs)
        size = self.sentence_length
        if isinstance(time, int) and time % size:
            raise ValueError(
                f"Layer '{self.name}' reads sentences in fields of {size} words. "
                f"Received: {time} words, no multiple of that."
            )
        count = time // size
        x = ops.reshape(inputs, (-1, size, features))
        valid = ops.reshape(mask, (-1, size))
        x = self.words(x, mask=valid, training=training)
        x, within = self.word_pooling(x, mask=valid)
        x = ops.reshape(x, (batch, count, self.words.output_size))
        known = ops.any(ops.reshape(mask, (batch, count, size)), -1)
        x = self.sentences(x, mask=known, training=training)
        x, among = self.sentence_pooling(x, mask=known)
        within = ops.reshape(within, (batch, count, size))
        weights = within * ops.expand_dims(among, -1)
        return x, ops.reshape(weights, (batch, time))

    def compute_output_spec(self, inputs, mask, training=None):
        size = self.sentences.output_size
        return (
            keras.KerasTensor((inputs.shape[0], size), self.compute_dtype),
            keras.KerasTensor(inputs.shape[:2], "float32"),
        )

    def compute_mask(self, *_, **__):
        return None  # the time axis is gone
