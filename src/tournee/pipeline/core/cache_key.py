"""The analysis cache's key: one issue, one analyser, one version of it.

Pure. An issue that a thousand readers receive has one content hash, so it is analysed once.
"""

from __future__ import annotations

import hashlib


def make_cache_key(content_hash: str, analyser: str, cache_version: str, salt: str = "") -> str:
    """Hex SHA-256 of what determines an analysis. The parts are length-prefixed, so none can run into the next.

    `salt` sets apart what the content hash cannot (see `salt_for`).
    """
    digest = hashlib.sha256()
    for part in (content_hash, analyser, cache_version, salt):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()


def salt_for(text: str, subject: str, sender: str) -> str:
    """Empty when the visible text identifies the issue; subject and sender where there is no text (a mail that
    is one image), because all those have the same content hash and would share one analysis.
    """
    return "" if text.strip() else f"{subject}\n{sender}"
