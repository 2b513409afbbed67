"""Multi30k: captions of photographs in English and German."""

import gzip

import tensorflow_datasets as tfds

_URL = (
    "https://raw.githubusercontent.com/multi30k/dataset/"
    "a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/{}.{}.gz"
)
PARTS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
LANGUAGES = ("en", "de")
URLS = {
    split: {language: _URL.format(name, language) for language in LANGUAGES}
    for split, name in PARTS.items()
}


class Multi30k(tfds.core.GeneratorBasedBuilder):
    """English captions of photographs, and their German translations by professionals.

    Splits `"train"`, `"validation"` and `"test"` have 29,000, 1,014 and 1,000 pairs;
    the last is the test of 2016. `as_supervised=True` gives what `Translator.fit`
    takes. For non-commercial research and education alone.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}

    def _info(self):
        features = {language: tfds.features.Text() for language in LANGUAGES}
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=LANGUAGES,
            homepage="https://github.com/multi30k/dataset",
            citation="Elliott et al., Multi30K: Multilingual English-German Image "
            "Descriptions, 5th Workshop on Vision and Language, 2016, W16-3210",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        # Without unpacking: the checksums are those of the files as they are.
        paths = dl_manager.download(URLS)
        return {split: self._generate_examples(paths[split]) for split in PARTS}

    def _generate_examples(self, paths):
        sides = [_lines(paths[language]) for language in LANGUAGES]
        for number, pair in enumerate(zip(*sides, strict=True)):
            yield number, dict(zip(LANGUAGES, pair, strict=True))


def _lines(path):
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        return [line.strip() for line in file]
