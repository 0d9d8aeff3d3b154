"""The analysis cache's key: one issue, one analyser, one version of it.

Pure. An issue that a thousand readers receive has one content hash, so it is analysed once.
"""

from __future__ import annotations

import hashlib


def make_cache_key(content_hash: str, analyser: str, cache_version: str) -> str:
    """Hex SHA-256 of what determines an analysis. The parts are length-prefixed, so none can run into the next."""
    digest = hashlib.sha256()
    for part in (content_hash, analyser, cache_version):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()
