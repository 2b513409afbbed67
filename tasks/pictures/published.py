"""Published weights for the nets that see pictures."""

import zoo
from tasks.pictures import APPLICATIONS, picture_net

PRETRAINED = "captioning_lstm_attention.flickr8k_en"
RANDOM, IMAGENET = "random", "imagenet"


def load_net(net, options, source=None):
    """Gives a net its weights.

    Args:
        net: `keras.Model` of `tasks.pictures.picture_net`.
        options: Dict with `features`, `feature_options` and `picture_size`, of which it
            was made.
        source: A file written by `tasks.pictures.convert`; the name or the folder of a
            captioner with the same net; `"imagenet"` for the weights that
            `keras.applications` downloads; `"random"` to leave it as it is. `None` for
            the captioner that comes with this package, or for `"imagenet"`.

    Raises:
        ValueError: If these weights are not of this net.
    """
    features = options["features"]
    downloaded = features.startswith(APPLICATIONS)
    source = source or (IMAGENET if downloaded else PRETRAINED)
    if source == RANDOM:
        return
    if source == IMAGENET:
        if not downloaded:
            raise ValueError(
                f'"imagenet" are weights of keras.applications, not of {features!r}.'
            )
        size, more = options["picture_size"], options["feature_options"]
        other = picture_net(features, size, more, IMAGENET)
        net.set_weights(other.get_weights())
    elif str(source).endswith(".h5"):
        net.load_weights(source)
    else:
        _take_net_of(source, net, options)


def _take_net_of(source, net, options):
    other = zoo.load(source)
    for name in ("features", "feature_options"):
        if other.options[name] != options[name]:
            raise ValueError(
                f"{source} has a net with {name}={other.options[name]!r}, this one has "
                f"{options[name]!r}; give `picture_weights`."
            )
    net.set_weights(other.parts.net.get_weights())
