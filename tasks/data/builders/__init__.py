"""Builders for TensorFlow Datasets: importing this package registers them.

    pip install tensorflow-datasets

    import tensorflow_datasets as tfds
    import tasks.data.builders

    tfds.load("ett", split="train")

An example is one series: its `"id"`, and its `"values"` `(time, channels)`; a pair of
sentences, `"en"` and `"de"`; or an `"image"` with its `"captions"`. Addresses name a
commit, and `checksums.tsv` holds the size and sha256 of every file: what has changed is
refused.
"""

try:
    import tensorflow_datasets  # noqa: F401
except ImportError as error:
    raise ImportError(
        "The builders need TensorFlow Datasets: pip install tensorflow-datasets. "
        "The readers in `tasks.data.forecasting_sets` do without it."
    ) from error

from tasks.data.builders.ett import Ett
from tasks.data.builders.exchange_rate import ExchangeRate
from tasks.data.builders.flickr8k import Flickr8k
from tasks.data.builders.m4_hourly import M4Hourly
from tasks.data.builders.multi30k import Multi30k
from tasks.data.builders.tatoeba import Tatoeba

__all__ = ["Ett", "ExchangeRate", "Flickr8k", "M4Hourly", "Multi30k", "Tatoeba"]
