"""The folder of a search: one search each, found again by the same call."""

import json
import math
import os
import shutil
from pathlib import Path

from tuning.errors import SearchError
from tuning.fingerprint import fingerprint
from tuning.records import Records, write_whole

_IDENTITY, _ORACLE, _LIMITS = "search.json", "oracle.json", "limits.json"


class SearchFolder:
    """Everything that a search leaves on disk.

    Args:
        path: The folder.

    Attributes:
        trials, reruns: `tuning.records.Records` of the trials, and of the best ones
            again with other seeds.
        oracle: Path of the algorithm's state.
        start: Path of the preset that trials go on from, if they do.
        best: Path of the preset that was found.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.oracle = self.path / _ORACLE
        self.start, self.best = self.path / "start", self.path / "best"

    @property
    def trials(self):
        return Records(self.path / "trials")

    @property
    def reruns(self):
        return Records(self.path / "reruns")

    def identity(self):
        """What is searched here; `None` in a folder without a search.

        Raises:
            SearchError: If there is a file of that name which is something else.
        """
        try:
            return json.loads((self.path / _IDENTITY).read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError:
            raise SearchError(
                f"{self.path / _IDENTITY} is not what a search has written; give "
                "another `directory`."
            ) from None

    def claim(self, identity):
        """Makes the folder that of a search, or finds that it already is.

        Args:
            identity: Dict of plain values that the same search shares.

        Raises:
            SearchError: If the folder is that of another search, has other files, or
                cannot be written to.
        """
        found = self.identity()
        if found is None:
            self._make(identity)
            return
        for name, value in identity.items():
            if found.get(name) != value:
                raise SearchError(
                    f"{self.path} holds another search: its {_told(name, found, value)}"
                    ". Give another `directory`, or remove this one."
                )
        self._check_writable()

    def _make(self, identity):
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SearchError(
                f"{self.path} cannot be made: {error.strerror}."
            ) from None
        if any(self.path.iterdir()):
            raise SearchError(
                f"{self.path} holds other files; give a new or empty `directory`."
            )
        self._check_writable()
        write_whole(self.path / _IDENTITY, json.dumps(identity, indent=1))

    def _check_writable(self):
        probe = self.path / f".{os.getpid()}.partial"
        try:
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise SearchError(
                f"{self.path} cannot be written to: {error.strerror}. Give another "
                "`directory`."
            ) from None

    def set_limits(self, deadline, keep):
        """Tells workers when to stop, as `time.time()` counts, and what to keep."""
        limits = {"deadline": deadline if deadline < math.inf else None, "keep": keep}
        write_whole(self.path / _LIMITS, json.dumps(limits))

    def limits(self):
        """What `set_limits` has told: when to stop (`inf` for never), what to keep.

        Raises:
            SearchError: If no search leads workers here.
        """
        try:
            found = json.loads((self.path / _LIMITS).read_text("utf-8"))
        except FileNotFoundError:
            raise SearchError(
                f"{self.path} holds no search that workers can join: begin it with "
                "`workers` or `address`."
            ) from None
        deadline = found["deadline"]
        return math.inf if deadline is None else deadline, found["keep"]

    def keep_start(self, task):
        """Saves what trials go on from, unless it is there."""
        if not self.start.exists():
            partial = self.start.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            task.save(partial)
            os.replace(partial, self.start)


def _told(name, found, value):
    old = found.get(name)
    if isinstance(old, dict) and isinstance(value, dict):
        keys = [k for k in {**old, **value} if old.get(k) != value.get(k)]
        return f"{name} differs in {', '.join(map(repr, keys))}"
    return f"{name} is {old!r}, not {value!r}"


def default_path(identity):
    """Where a search is kept that was given no folder: the same call finds it again."""
    return Path("searches") / f"{identity['task']}-{fingerprint(identity)[:8]}"
