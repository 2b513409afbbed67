"""The Electricity Transformer Temperature data, hourly tables."""

import numpy as np
import tensorflow_datasets as tfds

from tasks.data.forecasting_sets import ETT_SPLITS, ett_table

URL = (
    "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/"
    "1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small/{}.csv"
)


class Ett(tfds.core.GeneratorBasedBuilder):
    """Oil temperature and six loads of a transformer, two years of hours.

    Split `"full"` is the table as it is in the file; `"train"`, `"validation"` and
    `"test"` are its 12, 4 and 4 months of 30 days that everyone measures on. What is
    left of the file is in `"full"` alone. `"seconds"` are those since 1970.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name="etth1", description="First transformer, hourly."),
        tfds.core.BuilderConfig(name="etth2", description="Second one, hourly."),
    ]
    _names = {"etth1": "ETTh1", "etth2": "ETTh2"}

    def _info(self):
        features = {
            "id": tfds.features.Text(),
            "seconds": tfds.features.Tensor(shape=(None,), dtype=np.int64),
            "values": tfds.features.Tensor(shape=(None, 7), dtype=np.float64),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/zhouhaoyi/ETDataset",
            license="CC BY-ND 4.0",
            citation="Zhou et al., Informer: Beyond Efficient Transformer for Long "
            "Sequence Time-Series Forecasting, AAAI 2021, arXiv:2012.07436",
        )

    def _split_generators(self, dl_manager):
        name = self._names[self.builder_config.name]
        path = dl_manager.download(URL.format(name))
        splits = {"full": (0, None), **ETT_SPLITS}
        return {
            split: self._generate_examples(path, name, *rows)
            for split, rows in splits.items()
        }

    def _generate_examples(self, path, name, start, stop):
        table = ett_table(path)
        seconds = table.times.astype(np.int64)
        yield (
            name,
            {
                "id": name,
                "seconds": seconds[start:stop],
                "values": table.values[start:stop],
            },
        )
