"""Captions that a captioner writes, scored against those that people wrote."""

from tasks.data.captions import CaptionBatches
from tasks.metrics.captions import caption_scores
from tasks.metrics.likelihood import mean_loss

LOSS = "loss"
MONITORS = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "cider_d", LOSS)


class CaptionScorer:
    """Scores a captioner on examples, whose regions are read once.

    Args:
        writer: `tasks.caption_writer.CaptionWriter`.
        reading_model: See `tasks.captioner.CaptionerParts`.
        most: Most words of a caption; longer ones are cut.
    """

    def __init__(self, writer, reading_model, most):
        self.writer, self.reading_model, self.most = writer, reading_model, most

    def regions(self, examples, cache_dir=None, mirror=False, verbose=0):
        """Regions of the examples' pictures; see `RegionReader.read`."""
        pictures = [example.picture for example in examples]
        return self.writer.reader.read(pictures, cache_dir, mirror, verbose)

    def encoded(self, examples):
        """Ids of the captions of each picture, with their end."""
        coder = self.writer.coder
        return [[coder.encode(c, self.most) for c in e.captions] for e in examples]

    def loss(self, examples, regions, batch_size=32):
        """Negative log-likelihood of the examples' captions, in nats per word."""
        batches = CaptionBatches([regions], self.encoded(examples), batch_size)
        return mean_loss(self.reading_model, batches)

    def scores(self, examples, regions, how, batch_size=32, meteor=True):
        """All scores, a dict of floats.

        Args:
            examples: List of `tasks.data.captions.Captioned`.
            regions: Of their pictures.
            how: `tasks.decoding.beam.BeamSearch`.
            batch_size: Most pictures at once.
            meteor: See `tasks.metrics.captions.caption_scores`.
        """
        found = self.writer.texts(regions, how, batch_size)
        truth = [example.captions for example in examples]
        loss = self.loss(examples, regions)
        return {**caption_scores(found, truth, meteor), LOSS: loss}

    def score(self, name, examples, regions, how):
        """The score of this name, one of `MONITORS`; the loss takes no search."""
        if name == LOSS:
            return self.loss(examples, regions)
        return self.scores(examples, regions, how, meteor=False)[name]
