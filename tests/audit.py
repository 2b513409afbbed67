"""Asks pip-audit whether a hole is known of anything that is installed.

    python tests/audit.py

It lives in a virtual environment of its own, made on first use, as it brings much that
nobody else needs. Exits with 1 if a hole is known; without a network it says so, and
exits with 0.
"""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

HOME = Path(__file__).resolve().parents[1] / ".venv" / ".audit"
OFFLINE = "pip-audit: not to be had or not to be asked here; nothing was audited"


def audit(home=HOME, path=None):
    """Packages with known holes.

    Args:
        home: Folder of the environment of pip-audit.
        path: Folder with the packages; by default, those of this Python.

    Returns:
        Pair of the number of packages that were looked up, and a list of lines, one for
        each hole; `None` where pip-audit or its service cannot be reached.
    """
    program = Path(home) / "bin" / "pip-audit"
    if not program.exists() and not _installed(home):
        return None
    path = path or sysconfig.get_path("purelib")
    command = [program, "--path", path, "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(
        [*command, "--skip-editable"], capture_output=True, text=True, timeout=900
    )
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return None  # its service did not answer
    lines = [
        f"{one['name']} {one['version']}: {hole['id']}, fixed in "
        f"{', '.join(hole['fix_versions']) or 'no version'}"
        for one in found
        for hole in one.get("vulns", ())
    ]
    looked_up = sum("vulns" in one for one in found)
    # An index without the service answers, and knows of nothing.
    return (looked_up, lines) if looked_up else None


def _installed(home):
    try:
        subprocess.run([sys.executable, "-m", "venv", home], check=True, timeout=300)
        pip = [Path(home) / "bin" / "python", "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "pip-audit>=2.9"], check=True, timeout=600)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def main():
    found = audit()
    if found is None:
        print(OFFLINE)
        return 0
    count, lines = found
    print("\n".join([f"pip-audit: {count} packages, {len(lines)} known holes", *lines]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
