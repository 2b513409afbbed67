"""Downloads that resume, are checked, and appear complete or not at all.

Half a file stays as `NAME.part` in a folder of its own; the next call, in this process
or another, goes on from there. A file gets its name only when its sha256 matches.
"""

import contextlib
import errno
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.parse
import urllib.request

from zoo.errors import PresetError, shown

TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 5
PAUSE = 0.5  # seconds before the second attempt, doubled each time

_CHUNK = 2**16
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES})
_FAULTS = (OSError, http.client.HTTPException)  # URLError and timeouts are OSErrors


class _Restart(Exception):
    """What we have does not fit the server's file: start again from byte 0."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects within HTTP(S), never from HTTPS down to HTTP or to a file."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        old, new = (urllib.parse.urlsplit(url).scheme for url in (req.full_url, newurl))
        if new != "https" and (new, old) != ("http", "http"):
            fp.close()
            raise PresetError(f"{req.full_url} redirects to {shown(newurl)}, refused.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener():
    """An opener for HTTP(S) alone; urllib's own would open file: and ftp: as well."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def fetch_file(url, target, sha256, largest, advance=lambda count: None):
    """Downloads one file and gives it its name once its sum is right.

    Args:
        url: An http or https address.
        target: The path to make; `target.part` beside it holds what is there so far.
        sha256: The expected sum, in hexadecimal.
        largest: The most bytes to accept.
        advance: Called with the number of bytes that came (negative on a restart).

    Raises:
        PresetError: Naming the address, what was expected and what came.
    """
    if target.is_file() and _sum(target) == sha256:
        advance(target.stat().st_size)
        return
    part = target.with_name(f"{target.name}.part")
    advance(part.stat().st_size if part.exists() else 0)
    fault, wrong = None, 0
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            _transfer(url, part, largest, advance)
        except _Restart as error:
            fault = error
            _discard(part, advance)
            continue
        except _FAULTS as error:
            if getattr(error, "errno", None) in _DISK:
                raise
            fault = error
            continue
        got = _sum(part)
        if got == sha256:
            os.replace(part, target)
            return
        fault = f"its sha256 is {got}, expected {sha256}"
        _discard(part, advance)
        wrong += 1
        if wrong == 2:  # the first may have come from an old part; this is the file
            break
    raise PresetError(f"{url} could not be downloaded: {fault}.")


def _transfer(url, part, largest, advance):
    """One request; appends to `part` and returns when the server's file is complete."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity", "User-Agent": "recurrent-zoo"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        response = _opener().open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in _TEMPORARY:
            raise
        if error.code != 416:
            reason = " ".join(f"{error.code} {error.reason}".split())
            raise PresetError(f"{url} cannot be had: {reason}.") from error
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return  # nothing was missing
        raise _Restart("the server has no such range") from error
    with response:
        if response.status == 206:
            if not response.headers.get("Content-Range", "").startswith(
                f"bytes {have}-"
            ):
                raise _Restart("the server sent another range")
        elif have:  # no Range here: the whole file comes again
            _discard(part, advance)
            have = 0
        _append(response, part, have, largest, advance)


def _append(response, part, have, largest, advance):
    length = response.headers.get("Content-Length", "")
    expected = have + int(length) if length.isdigit() else None
    if (expected or 0) > largest:
        _discard(part, advance)
        raise PresetError(f"{response.url} has {expected} bytes, expected {largest}.")
    with open(part, "ab") as file:
        while chunk := response.read1(_CHUNK):
            have += len(chunk)
            if have > largest:
                raise _Restart(f"it has more than the expected {largest} bytes")
            file.write(chunk)
            file.flush()  # so that a kill loses nothing that came
            advance(len(chunk))
    if expected is not None and have < expected:
        raise OSError(f"it broke off after {have} of {expected} bytes")


def _discard(part, advance):
    with contextlib.suppress(FileNotFoundError):
        advance(-part.stat().st_size)
        part.unlink()


def _sum(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
