"""Flickr8k: photographs of people and animals with five captions each."""

import io

import tensorflow_datasets as tfds

from tasks.data import flickr8k
from tasks.data.files import file_bytes

_ROOT = (
    "https://raw.githubusercontent.com/edwardcruzcruz/Describiendo_imagenes_keras/"
    "5c9a0ffed365098d0df880dd73c1908d2228cc28/Flickr8k_text/"
)
_SPLITS = {"train": "train", "validation": "dev", "test": "test"}
URLS = {
    "captions": _ROOT + "Flickr8k.token.txt",
    **{name: _ROOT + flickr8k.PARTS[part] for name, part in _SPLITS.items()},
}


class Flickr8k(tfds.core.GeneratorBasedBuilder):
    """Photographs of people and animals, each with five English captions.

    Splits `"train"`, `"validation"` and `"test"` have 6,000, 1,000 and 1,000 pictures.
    `as_supervised=True` gives what `Captioner.fit` takes. For non-commercial research
    and education alone.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The photographs have no free licence: ask for them at
    https://hockenmaier.cs.illinois.edu/8k-pictures.html. Put them into the folder
    `Flicker8k_Dataset`, or into `images.tar` without compression. Captions and splits
    are downloaded.
    """

    def _info(self):
        features = {
            "name": tfds.features.Text(),
            "image": tfds.features.Image(encoding_format="jpeg"),
            "captions": tfds.features.Sequence(tfds.features.Text()),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "captions"),
            homepage="https://hockenmaier.cs.illinois.edu/8k-pictures.html",
            citation="Hodosh, Young and Hockenmaier, Framing Image Description as a "
            "Ranking Task, Journal of Artificial Intelligence Research 47, 2013",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        paths = dl_manager.download(URLS)
        captions = flickr8k.read_captions(paths["captions"], True)
        pictures = flickr8k.flickr8k_pictures(dl_manager.manual_dir)
        return {
            name: self._generate_examples(paths[name], captions, pictures)
            for name in _SPLITS
        }

    def _generate_examples(self, path, captions, pictures):
        # These lists name some pictures of birds, too, which are not Flickr8k's.
        names = [n for n in path.read_text("utf-8").split() if n in pictures]
        for number, name in enumerate(names):
            image = io.BytesIO(file_bytes(pictures[name]))
            texts = captions[name]
            yield number, {"name": name, "image": image, "captions": texts}
