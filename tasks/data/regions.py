"""What a net sees in pictures, computed once and kept in a file for training."""

import hashlib
import os
from pathlib import Path

import keras
import numpy as np

from tasks.answering import predict_on_batch
from tasks.data.pictures import picture_array, picture_digest


class RegionReader:
    """Turns pictures into vectors of regions, with a net that is not trained.

    Args:
        net: `keras.Model` of `tasks.pictures.picture_net`.
        size: Height and width of the pictures it takes.
        batch_size: Pictures at once.
        views: 2 for the regions of each picture and then those of its mirror image.
    """

    def __init__(self, net, size, batch_size=16, views=1):
        self.net, self.size, self.batch_size = net, size, batch_size
        self.views = views

    @property
    def shape(self):
        """Shape of a picture's regions: `(regions, channels)`."""
        rows, columns, channels = self.net.output_shape[1:]
        return self.views * rows * columns, channels

    def arrays(self, pictures, mirror=False):
        """Pictures as arrays, `(pictures, size, size, 3)` of uint8."""
        read = [picture_array(picture, self.size) for picture in pictures]
        stacked = np.stack(read)
        return stacked[:, :, ::-1] if mirror else stacked

    def regions(self, arrays):
        """Regions `(pictures, regions, channels)` of arrays, float32."""
        return np.concatenate(
            [
                self._few(arrays[start : start + self.batch_size])
                for start in range(0, len(arrays), self.batch_size)
            ]
        )

    def _few(self, arrays):
        few = len(arrays)
        if few > 1:  # few shapes: one for single pictures, one for batches
            arrays = np.resize(arrays, (self.batch_size, *arrays.shape[1:]))
        views = [arrays, arrays[:, :, ::-1]][: self.views]
        found = [
            predict_on_batch(self.net, view.astype("float32"))[:few] for view in views
        ]
        channels = self.shape[-1]
        found = [np.asarray(x, "float32").reshape(few, -1, channels) for x in found]
        return np.concatenate(found, 1)

    def read(self, pictures, folder=None, mirror=False, verbose=0):
        """Regions of pictures, from the cache if they are there.

        Args:
            pictures: List of pictures, see `tasks.data.pictures.picture_array`.
            folder: Folder of the cache, made if missing; `None` to keep them in memory.
            mirror: Whether to mirror all pictures, left and right.
            verbose: Whether to show a progress bar.

        Returns:
            Array `(pictures, regions, channels)` of float16; of a cache, a read-only
            map of its file.
        """
        shape = (len(pictures), *self.shape)
        if folder is None:
            regions = np.empty(shape, "float16")
            self._fill(regions, pictures, mirror, verbose)
            return regions
        path = Path(folder) / f"{self._key(pictures, mirror)}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            # One file a process; the last to be done wins, and all are alike.
            partial = path.with_suffix(f".{os.getpid()}.partial")
            regions = np.lib.format.open_memmap(partial, "w+", "float16", shape)
            try:
                self._fill(regions, pictures, mirror, verbose)
                regions.flush()
                os.replace(partial, path)
            finally:
                partial.unlink(missing_ok=True)
        return np.load(path, mmap_mode="r")

    def _fill(self, regions, pictures, mirror, verbose):
        starts = range(0, len(pictures), self.batch_size)
        bar = keras.utils.Progbar(len(starts), verbose=1 if verbose else 0)
        for start in starts:
            arrays = self.arrays(pictures[start : start + self.batch_size], mirror)
            found = self.regions(arrays)
            # Half precision ends at 65,504: what is larger is as good as that.
            limit = np.finfo("float16").max
            regions[start : start + len(arrays)] = np.clip(found, -limit, limit)
            bar.add(1)

    def _key(self, pictures, mirror):
        """Checksum of the pictures, of the net's weights, of the size and views."""
        views = "" if self.views == 1 else f" {self.views} views"
        total = hashlib.sha256(f"{self.size} {mirror}{views}".encode())
        for weight in self.net.weights:
            value = np.asarray(keras.ops.convert_to_numpy(weight))
            total.update(f"{weight.path}{value.shape}".encode())
            total.update(np.ascontiguousarray(value).tobytes())
        for picture in pictures:
            total.update(picture_digest(picture))
        return total.hexdigest()
