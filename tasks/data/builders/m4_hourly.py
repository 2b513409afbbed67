"""The hourly series of the M4 competition."""

import numpy as np
import tensorflow_datasets as tfds

from tasks.data.forecasting_sets import m4_series

_ROOT = (
    "https://raw.githubusercontent.com/Mcompetitions/M4-methods/"
    "6c1067e5a57161249b17289a565178dc7a3fb3ca/Dataset/"
)
URLS = {
    "train": _ROOT + "Train/Hourly-train.csv",
    "test": _ROOT + "Test/Hourly-test.csv",
}


class M4Hourly(tfds.core.GeneratorBasedBuilder):
    """414 hourly series of the M4 competition, each with 48 values to forecast.

    Split `"train"` has 700 or 960 values of each series, `"test"` the 48 that follow,
    in the same order.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}

    def _info(self):
        features = {
            "id": tfds.features.Text(),
            "values": tfds.features.Tensor(shape=(None, 1), dtype=np.float64),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/Mcompetitions/M4-methods",
            citation="Makridakis et al., The M4 Competition: 100,000 time series and "
            "61 forecasting methods, International Journal of Forecasting, 2020",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        paths = dl_manager.download(URLS)
        return {split: self._generate_examples(paths[split]) for split in URLS}

    def _generate_examples(self, path):
        for number, (name, values) in enumerate(m4_series(path).items()):
            yield number, {"id": name, "values": values[:, None]}
