"""What the networks of a translator and a captioner share: a decoder, and its loss."""

import keras

from tasks.attention_decoder import AttentionDecoder, coverage_loss
from tasks.losses import RowShare, token_losses


def decoder_of(vocabulary_size, layer, options, **more):
    """The decoder of a task.

    Args:
        vocabulary_size: Number of ids.
        layer: Name of its layer of `zoo.layers`.
        options: Dict of the task's options.
        **more: `layer_options` and `attention_units`, see `AttentionDecoder`.
    """
    return AttentionDecoder(
        vocabulary_size,
        options["embedding_dim"],
        layer,
        options["units"],
        attention=options["attention"],
        dropout=options["dropout"],
        tied=options["tied"],
        sampling=options["scheduled_sampling"] is not None,
        name="decoder",
        **more,
    )


def training_model_of(inputs, answers, options, *, coverage, memory_mask=None, name):
    """A model from inputs and `targets` to each row's share of the loss.

    Args:
        inputs: Dict of Keras inputs, `"target_mask"` among them.
        answers: Dict of `"logits"` and `"attention"` that are made of them.
        options: Dict of the task's options.
        coverage: Weight of `coverage_loss`; 0 is off.
        memory_mask: Boolean `(batch, source)`, places that want to be attended to; all
            by default.
        name: The model's name.
    """
    targets = keras.Input((None,), dtype="int32", name="targets")
    mask, attention = inputs["target_mask"], answers["attention"]
    losses = token_losses(answers["logits"], targets, mask, options["label_smoothing"])
    share = RowShare(name="row_share")(losses, mask)
    if coverage and options["attention"] is not None:
        share = share + coverage * coverage_loss(attention, mask, memory_mask)
    return keras.Model({**inputs, "targets": targets}, share, name=name)


def rewarded_model_of(inputs, answers, name):
    """A model from inputs, `targets` and `advantages` to what REINFORCE lessens.

    Args:
        inputs: Dict of Keras inputs, `"target_mask"` among them.
        answers: Dict of `"logits"` that are made of them.
        name: The model's name.
    """
    targets = keras.Input((None,), dtype="int32", name="targets")
    advantages = keras.Input((), dtype="float32", name="advantages")
    mask = inputs["target_mask"]
    losses = token_losses(answers["logits"], targets, mask)
    share = RowShare(name="rewarded_share")(losses, mask) * advantages
    more = {"targets": targets, "advantages": advantages}
    return keras.Model({**inputs, **more}, share, name=name)
