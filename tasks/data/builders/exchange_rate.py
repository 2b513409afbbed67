"""Daily exchange rates of eight countries."""

import numpy as np
import tensorflow_datasets as tfds

from tasks.data.forecasting_sets import (
    EXCHANGE_RATE_COUNTRIES,
    exchange_rate_splits,
    exchange_rate_table,
)

URL = (
    "https://raw.githubusercontent.com/laiguokun/multivariate-time-series-data/"
    "7f402f185cc2435b5e66aed13a3b560ed142e023/exchange_rate/exchange_rate.txt.gz"
)


class ExchangeRate(tfds.core.GeneratorBasedBuilder):
    """Daily exchange rates of Australia, Britain, Canada, Switzerland, China, Japan,
    New Zealand and Singapore, 1990 to 2016.

    Split `"full"` is all rows; `"train"`, `"validation"` and `"test"` are the first
    60, the next 20 and the last 20 % of them, as in LSTNet.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}

    def _info(self):
        shape = (None, len(EXCHANGE_RATE_COUNTRIES))
        features = {
            "id": tfds.features.Text(),
            "values": tfds.features.Tensor(shape=shape, dtype=np.float64),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/laiguokun/multivariate-time-series-data",
            citation="Lai et al., Modeling Long- and Short-Term Temporal Patterns with "
            "Deep Neural Networks, SIGIR 2018, arXiv:1703.07015",
        )

    def _split_generators(self, dl_manager):
        path = dl_manager.download(URL)
        values = exchange_rate_table(path).values
        splits = {"full": (0, len(values)), **exchange_rate_splits(len(values))}
        return {
            split: self._generate_examples(values[start:stop])
            for split, (start, stop) in splits.items()
        }

    def _generate_examples(self, values):
        yield "exchange_rate", {"id": "exchange_rate", "values": values}
