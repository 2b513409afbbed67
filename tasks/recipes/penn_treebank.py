"""Text of the Penn Treebank, as Mikolov and others cut it: by words, or by characters.

Data: folder ptb in --data-dir (ptb.train.txt, ptb.valid.txt and ptb.test.txt, with
`<unk>` for rare words and `N` for numbers). The text may be used under the licence of
the LDC (LDC99T42) alone: none of it is part of this project.
"""

from pathlib import Path

FILES = {"train": "train", "dev": "valid", "test": "test"}
FRONT = {
    "language": "en",
    "data": ["Penn Treebank (WSJ)"],
    "data_licence": "LDC99T42, for members of the LDC; none of the text is included",
    "licence": "research use only",
}


def read_parts(data_dir):
    """Dict of the texts `"train"`, `"dev"` and `"test"`.

    A sentence is a line without the spaces around it, so that the text has the usual
    counts: 929,589 words with the ends of lines, 5,017,482 characters.

    Args:
        data_dir: Folder of the data sets.
    """
    folder = Path(data_dir) / "ptb"
    return {
        part: _lines((folder / f"ptb.{name}.txt").read_text("utf-8"))
        for part, name in FILES.items()
    }


def _lines(text):
    return "".join(f"{line.strip()}\n" for line in text.splitlines())
