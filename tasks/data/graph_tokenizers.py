"""Tokenizers as operations of TensorFlow, for graphs that are saved."""

from zoo.lazy import tf_text


def subword_operations(tokenizer):
    """A tokenizer of texts to pieces, and back, that a `tf.Module` can hold.

    Args:
        tokenizer: `tasks.data.tokenizers.SubwordTokenizer`.

    Returns:
        `tensorflow_text.SentencepieceTokenizer`: its `tokenize` takes strings
        `(batch,)`, its `detokenize` returns them.

    Raises:
        ImportError: If tensorflow-text is not installed.
    """
    return tf_text.SentencepieceTokenizer(model=tokenizer.model)
