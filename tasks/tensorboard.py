"""What TensorBoard reads, written by TensorFlow alone.

`tf.summary.scalar`, `text` and `image` would ask for TensorBoard's package, which is
needed to look, not to write.
"""

import io
import json

from zoo.lazy import tf

# Fields of HParamsPluginData, and of what is in it, as TensorBoard numbers them.
_HPARAMS = "hparams"
_START, _END = "_hparams_/session_start_info", "_hparams_/session_end_info"
_START_INFO, _END_INFO, _STATUS = 3, 4, 1
SUCCESS, FAILURE = 1, 2
_SCALAR, _TENSOR, _BLOBS = 1, 2, 3  # what TensorBoard calls kinds of data
_LENGTH = 2  # the wire type of what has a length


class Board:
    """Writes one folder of events.

    Args:
        folder: Where; made if missing.

    Example: `board = Board("logs")`, `board.scalar("loss", 0.5, step=1)`, and
    `tensorboard --logdir logs`.
    """

    def __init__(self, folder):
        self._writer = tf.summary.create_file_writer(str(folder))

    def scalar(self, tag, value, step):
        """A point of a curve."""
        self._write(tag, tf.constant(value, tf.float32), step, "scalars", _SCALAR)

    def text(self, tag, text, step):
        """A text, as it stands."""
        # TensorBoard reads Markdown; four spaces leave a text as it is.
        lines = "".join(f"    {line}\n" for line in text.splitlines() or [""])
        self._write(tag, tf.constant(_plain(lines)), step, "text", _TENSOR)

    def figure(self, tag, figure, step):
        """A figure of matplotlib."""
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=80)
        width, height = (round(size * 80) for size in figure.get_size_inches())
        parts = [str(width).encode(), str(height).encode(), file.getvalue()]
        self._write(tag, tf.constant(parts), step, "images", _BLOBS)

    def settings(self, values):
        """The settings of the run, for the page HParams."""
        self._message(_START, _message(_START_INFO, _settings(values)))

    def end(self, status=SUCCESS):
        """Says how the run ended: `SUCCESS` or `FAILURE`."""
        self._message(
            _END, _message(_END_INFO, _varint(_STATUS << 3) + _varint(status))
        )

    def flush(self):
        """Lets readers see all that was written."""
        self._writer.flush()

    def close(self):
        """Ends the file."""
        self._writer.close()

    def _message(self, tag, content):
        self._write(tag, tf.zeros((0,), tf.float32), 0, _HPARAMS, None, content)

    def _write(self, tag, tensor, step, plugin, kind, content=b""):
        metadata = tf.compat.v1.SummaryMetadata()
        metadata.plugin_data.plugin_name = plugin
        metadata.plugin_data.content = content
        if kind is not None:
            metadata.data_class = kind
        with self._writer.as_default():
            tf.summary.write(tag, tensor, step=step, metadata=metadata)


def _plain(text):
    """UTF-8; what is no character becomes a question mark."""
    return text.encode("utf-8", "replace")


def _settings(values):
    """The field `hparams` of SessionStartInfo.

    It is a map from texts to `Value` with number 1: the same bytes as those of
    `google.protobuf.Struct`.
    """
    from google.protobuf.struct_pb2 import Struct

    message = Struct()
    for name, value in values.items():
        plain = isinstance(value, bool | int | float | str)
        message[name] = value if plain else json.dumps(value, default=str)
    return message.SerializeToString(deterministic=True)


def _message(field, content):
    return _varint(field << 3 | _LENGTH) + _varint(len(content)) + content


def _varint(number):
    found = []
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
