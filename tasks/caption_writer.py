"""From pictures to captions: batch by batch, and into a file."""

from dataclasses import replace
from zlib import crc32

import numpy as np

from tasks.captions import Caption
from tasks.data.caption_words import caption_text
from tasks.data.pictures import picture_name
from tasks.writing import progress_bar


class CaptionWriter:
    """Writes captions of pictures.

    Args:
        reader: `tasks.data.regions.RegionReader`.
        run: `tasks.decoding.attention_search.AttentionSearch` over regions.
        coder: `tasks.data.caption_words.CaptionCoder`.
        grid: Views of a picture, the second of them mirrored; rows and columns of the
            regions of each.
    """

    def __init__(self, reader, run, coder, grid):
        self.reader, self.run, self.coder, self.grid = reader, run, coder, grid

    def captions(self, pictures, how, batch_size, output=None, verbose="auto"):
        """Captions of pictures.

        Args:
            pictures: List of pictures, see `tasks.data.pictures.picture_array`.
            how: `tasks.decoding.beam.BeamSearch`, or
                `tasks.decoding.random_search.RandomSearch`.
            batch_size: Most pictures at once.
            output: Path of a file to add names and captions to.
            verbose: See `tasks.writing.progress_bar`.

        Returns:
            List of `tasks.captions.Caption`.

        Raises:
            OSError, TypeError, ValueError: If a picture cannot be read. The captions of
                those before it are in the error's `results`.
        """
        starts = range(0, len(pictures), batch_size)
        bar, results = progress_bar(len(starts), verbose), []
        for start in starts:
            few = pictures[start : start + batch_size]
            arrays, error = self._readable(few)
            found = self._few(few[: len(arrays)], arrays, how, batch_size)
            results += found
            if output is not None:
                _add_lines(output, found)
            if error is not None:
                error.results = results
                error.add_note(f"{len(results)} captions are in the error's `results`.")
                raise error
            bar.add(1)
        return results

    def texts(self, regions, how, batch_size):
        """The best caption for each picture's regions, strings."""
        found = self._answers(regions, how, batch_size)
        return [self._one(None, answers[0]).text for answers in found]

    def drawn(self, regions, how, batch_size, keys):
        """Ids of the captions drawn for each picture, lists of lists without the end.

        Args:
            regions: Of the pictures.
            how: `tasks.decoding.random_search.RandomSearch`.
            batch_size: Most pictures at once.
            keys: An integer for each picture, that decides with the seed what is drawn.
        """
        found = self._answers(regions, how, batch_size, keys)
        return [[answer.ids for answer in answers] for answers in found]

    def _readable(self, pictures):
        """Arrays of pictures up to one that cannot be read, and that one's error."""
        arrays = []
        for picture in pictures:
            try:
                arrays.append(self.reader.arrays([picture])[0])
            except (OSError, TypeError, ValueError) as error:
                return arrays, error
        return arrays, None

    def _few(self, pictures, arrays, how, batch_size):
        if not arrays:
            return []
        keys = [crc32(array.tobytes()) for array in arrays]
        regions = self.reader.regions(np.stack(arrays))
        answers = self._answers(regions, how, batch_size, keys)
        return [self._caption(*pair) for pair in zip(pictures, answers, strict=True)]

    def _answers(self, regions, how, batch_size, keys=None):
        """What was found for each picture, lists of `Answer`.

        `keys` tell pictures from each other where chance decides.
        """
        found, keys = [], range(len(regions)) if keys is None else keys
        for start in range(0, len(regions), batch_size):
            few = np.asarray(regions[start : start + batch_size], "float32")
            # Few shapes: one for single pictures, one for batches.
            count = len(few)
            rows = few if count == 1 else np.resize(few, (batch_size, *few.shape[1:]))
            ranking = self.run(how, rows, keys=keys[start : start + count])
            found += [ranking.ranked(row, self.coder.end) for row in range(count)]
        return found

    def _caption(self, picture, answers):
        found = [self._one(picture, answer) for answer in answers]
        return replace(found[0], candidates=tuple(found))

    def _one(self, picture, answer):
        words = self.coder.words(answer.ids)
        seen = answer.attention
        if seen is not None:
            seen = _together(seen[: len(words)].reshape(len(words), *self.grid))
        return Caption(
            picture,
            caption_text(words),
            answer.score,
            answer.log_probability,
            words,
            seen,
        )


def _together(seen):
    """Attention to each place, `(words, rows, columns)`, in whichever view."""
    together = seen[:, 0]
    return together if seen.shape[1] == 1 else together + seen[:, 1, :, ::-1]


def _add_lines(path, results):
    with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
        for result in results:
            file.write(f"{picture_name(result.picture)}\t{result.text}\n")
