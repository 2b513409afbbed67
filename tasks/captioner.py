"""The network of a captioner: regions of a picture, a decoder that looks at them."""

import keras
from keras import layers, ops

from tasks.pictures import picture_net
from tasks.writer import decoder_of, rewarded_model_of, training_model_of


class CaptionerParts:
    """The layers of a captioner, and the Keras models made of them.

    Args:
        vocabulary_size: Number of ids.
        options: Dict of the options of `tasks.captioning.Captioner`.

    Attributes:
        net: The frozen `keras.Model` from pictures to regions.
        grid: Rows and columns of a picture's regions.
        views: 2 if a picture's mirror image is looked at, too; else 1.
        model: From `pictures` `(batch, size, size, 3)`, 0 to 255, `target_ids` and
            `target_mask` `(batch, time)` to `{"logits": (batch, time, vocabulary),
            "attention": (batch, time, regions)}`: teacher forcing.
        reading_model: The same from `regions` `(batch, regions, channels)` in place of
            the pictures.
        training_model: From the inputs of that and `targets` to each row's share of the
            loss.
        rewarded_model: From the inputs of that and `advantages` to each row's share of
            what self-critical training lessens.
    """

    def __init__(self, vocabulary_size, options):
        # === Layers ===
        size = options["picture_size"]
        self.net = picture_net(options["features"], size, options["feature_options"])
        self.grid = self.net.output_shape[1:3]
        self.views = 2 if options["mirrored"] else 1
        self.flat = layers.Reshape((-1, self.net.output_shape[-1]), name="regions_flat")
        self.projection = layers.Dense(
            options["region_dim"], use_bias=False, name="region_projection"
        )
        # Nets differ in how large their numbers are.
        self.norm = layers.LayerNormalization(name="region_norm")
        self.dropout = layers.Dropout(options["dropout"], name="region_dropout")
        self.decoder = decoder_of(
            vocabulary_size,
            options["layer"],
            options,
            layer_options=options["layer_options"],
            attention_units=options["attention_units"],
        )
        # === Functional models ===
        read = {
            "target_ids": keras.Input((None,), dtype="int32", name="target_ids"),
            "target_mask": keras.Input((None,), dtype="bool", name="target_mask"),
        }
        count = self.views * self.grid[0] * self.grid[1]
        regions = keras.Input((count, self.net.output_shape[-1]), name="regions")
        given = {"regions": regions, **read}
        logits, attention = self._written(regions, **read)
        answers = {"logits": logits, "attention": attention}
        self.reading_model = keras.Model(given, answers, name="captioner_reading")
        pictures = keras.Input((size, size, 3), name="pictures")
        found = self.reading_model({"regions": self.see(pictures), **read})
        self.model = keras.Model(
            {"pictures": pictures, **read}, found, name="captioner"
        )
        self.training_model = training_model_of(
            given,
            answers,
            options,
            coverage=options["coverage_loss"] / count,
            name="captioner_training",
        )
        self.rewarded_model = rewarded_model_of(given, answers, "captioner_rewarded")

    def see(self, pictures):
        """Regions `(batch, regions, channels)` of pictures, of each view in turn."""
        seen = [self.flat(self.net(pictures))]
        if self.views == 2:
            seen.append(self.flat(self.net(ops.flip(pictures, 2))))
        return ops.concatenate(seen, 1)

    def _written(self, regions, target_ids, target_mask):
        memory, summary, _ = self.encode(regions)
        return self.decoder(target_ids, memory, summary, mask=target_mask)

    def encode(self, regions):
        """The memory `(batch, regions, region_dim)`, its mean, and no mask."""
        memory = self.dropout(ops.relu(self.norm(self.projection(regions))))
        return memory, ops.mean(memory, 1), None
