"""A recognizer of speech as one TensorFlow graph from samples to strings."""

from tasks.data.vocabulary import RESERVED
from tasks.exports import export_graphs
from zoo.lazy import tf


def export_transcripts(recognizer, folder, how):
    """Writes a SavedModel that takes samples and returns texts.

    The signature `serving_default` takes `samples` `(batch, time)`, float32 from -1 to
    1, at the recognizer's `sample_rate`, and `lengths` `(batch,)`, int32, how many of
    them are each recording's. It returns `text` `(batch,)`, strings, and `score`
    `(batch,)`, float32. A recording is read whole, however long. Who loads it needs
    TensorFlow alone.

    Args:
        recognizer: `tasks.speech_recognition.SpeechRecognizer`.
        folder: Where; must not exist yet.
        how: `tasks.decoding.ctc.PathSearch` or `PrefixSearch`.

    Raises:
        ValueError: If something is there already, or the backend is not TensorFlow.
    """
    items = recognizer.speller.vocabulary.items
    characters = [item.encode("utf-8", "surrogatepass") for item in items]

    def transcribe(samples, lengths):
        features, mask = recognizer.log_mel(samples, lengths)
        answers = recognizer.model({"features": features, "mask": mask})
        found = how.search(answers["log_probabilities"], answers["mask"])
        # What each step adds to a text: nothing, at most of them.
        added = tf.gather(
            tf.constant([b""] * RESERVED + characters), found.tokens[:, 0]
        )
        text = tf.strings.regex_replace(
            tf.strings.reduce_join(added, axis=1), " +", " "
        )
        return {
            "text": tf.strings.strip(text),
            "score": found.scores[:, 0],
        }

    takes = [
        tf.TensorSpec([None, None], "float32", "samples"),
        tf.TensorSpec([None], "int32", "lengths"),
    ]
    export_graphs(
        {"serving_default": (transcribe, takes)},
        folder,
        weights=[v.value for v in recognizer.model.variables],
    )
