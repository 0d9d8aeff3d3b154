"""The Lua scripts that we run: BullMQ's own, loaded through its package, and three of ours.

Owns their texts and SHA-1 names. It refuses to know what a script does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from bullmq.redis_connection import SCRIPT_DEFINITIONS, loadScript

_BULLMQ = ("addStandardJob", "moveToActive", "moveToFinished", "extendLocks", "updateProgress")
_ADD_LOG = "addLog"
_OURS = ("annotate_job", "discard_jobs", "snapshot_queue")


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text, and the SHA-1 by which EVALSHA calls it."""

    name: str
    text: bytes
    sha: bytes


class ScriptLibrary:
    """All scripts of the broker, by name; read from disk once per process."""

    def __init__(self) -> None:
        files = {name: SCRIPT_DEFINITIONS[name] for name in _BULLMQ}
        # BullMQ for Python ships this file, but does not list it.
        files[_ADD_LOG] = "addLog-2.lua"
        texts = {name: loadScript(file) for name, file in files.items()}
        folder = resources.files("tournee.engine.bullmq").joinpath("lua")
        texts.update({name: folder.joinpath(f"{name}.lua").read_text(encoding="utf-8") for name in _OURS})
        self._scripts = {name: _make_script(name, text) for name, text in texts.items()}

    def __getitem__(self, name: str) -> Script:
        return self._scripts[name]

    def __iter__(self) -> Iterator[Script]:
        return iter(self._scripts.values())


def _make_script(name: str, text: str) -> Script:
    encoded = text.encode()
    sha = hashlib.sha1(encoded, usedforsecurity=False).hexdigest().encode()
    return Script(name, encoded, sha)
