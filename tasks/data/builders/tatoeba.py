"""Tatoeba: everyday sentences in English and German."""

import io
import zipfile

import tensorflow_datasets as tfds

from tasks.recipes.tatoeba import split

URL = (
    "https://raw.githubusercontent.com/rioyshky/translation/"
    "de48b7027f7318d77010a6e08ed928c10748c23d/deu-eng.zip"
)
_FILE = "deu.txt"
_SPLITS = {"train": "train", "validation": "dev", "test": "test"}
LANGUAGES = ("en", "de")


class Tatoeba(tfds.core.GeneratorBasedBuilder):
    """Everyday sentences in English, and German translations by volunteers.

    The split is that of the model `translation_lstm_attention.tatoeba_en_de`: 2,000
    English sentences in `"validation"` and `"test"` each, with one translation, and all
    others in `"train"`, with all of theirs; no English sentence is in two of them.
    `as_supervised=True` gives what `Translator.fit` takes.
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
            homepage="https://tatoeba.org",
            license="CC BY 2.0: www.manythings.org/anki and tatoeba.org",
            citation="Tatoeba project, sentences of May 2018, tatoeba.org",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        path = dl_manager.download(URL)
        with zipfile.ZipFile(path) as archive:
            text = io.TextIOWrapper(archive.open(_FILE), "utf-8", newline="\n")
            lines = [line.rstrip("\r\n").split("\t")[:2] for line in text]
        parts = split([tuple(line) for line in lines])
        return {
            name: self._generate_examples(parts[part]) for name, part in _SPLITS.items()
        }

    def _generate_examples(self, pairs):
        for number, pair in enumerate(pairs):
            yield number, dict(zip(LANGUAGES, pair, strict=True))
