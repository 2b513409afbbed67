"""A search for TensorBoard's HParams page, and each trial's learning curves."""

import json
import shutil
from pathlib import Path

from zoo.lazy import tf

_PLUGIN = "hparams"
_START, _END = "_hparams_/session_start_info", "_hparams_/session_end_info"
# Fields of HParamsPluginData, and of what is in it, as TensorBoard numbers them.
_START_INFO, _END_INFO, _STATUS = 3, 4, 1
_SUCCESS, _FAILURE = 1, 2
_SCALAR = 1  # what TensorBoard calls such data
_LENGTH = 2  # the wire type of what has a length


def write(records, objective, folder):
    """Writes each trial as a session; `tensorboard --logdir FOLDER` shows them.

    Args:
        records: List of `tuning.records.Record`.
        objective: `tuning.objectives.Objective`.
        folder: Where; what an earlier call wrote there is replaced.
    """
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for record in records:
        if record.status != "running":
            _write_session(record, objective, folder / record.name)


def _write_session(record, objective, folder):
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        _write_message(_START, _message(_START_INFO, _settings(record.values)))
        for name, values in record.curve.items():
            for epoch, value in enumerate(values):
                _write_score(f"epoch/{name}", value, epoch)
        done = record.status == "done"
        if done:
            _write_score(objective.name, record.score, 0)
        status = _varint(_STATUS << 3) + _varint(_SUCCESS if done else _FAILURE)
        _write_message(_END, _message(_END_INFO, status))
    writer.close()


def _settings(values):
    """The field `hparams` of SessionStartInfo.

    It is a map from texts to `Value` with number 1: the same bytes as those of
    `google.protobuf.Struct`, so its own package, TensorBoard, is not needed.
    """
    from google.protobuf.struct_pb2 import Struct

    message = Struct()
    for name, value in values.items():
        plain = isinstance(value, bool | int | float | str)
        message[name] = value if plain else json.dumps(value)
    return message.SerializeToString(deterministic=True)


def _write_message(tag, content):
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = _PLUGIN
    metadata.plugin_data.content = content
    nothing = tf.zeros((0,), tf.float32)
    tf.summary.write(tag, nothing, step=0, metadata=metadata)


def _write_score(tag, value, step):
    # `tf.summary.scalar` would ask for TensorBoard's package.
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "scalars"
    metadata.data_class = _SCALAR
    tf.summary.write(tag, tf.constant(value, tf.float32), step=step, metadata=metadata)


def _message(field, content):
    return _varint(field << 3 | _LENGTH) + _varint(len(content)) + content


def _varint(number):
    found = []
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
