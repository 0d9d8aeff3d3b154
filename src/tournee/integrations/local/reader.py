"""The ContentReader: messages are read in processes of their own, within a limit of time and memory.

A message that takes too long, takes too much memory or kills its process is `UNPARSABLE` and says why; it neither
blocks the event loop nor harms the messages beside it.
"""

from __future__ import annotations

from typing import Final

import structlog

from tournee.integrations.local.cpu_pool import CpuLimitExceeded, CpuOverloaded, CpuPool, PoolClosed
from tournee.pipeline.core.mail.limits import MESSAGE_BYTES
from tournee.pipeline.core.mail.reading import read_mail
from tournee.pipeline.ports import MessageClass, ReadMail

DEFAULT_TIMEOUT_SECONDS: Final = 10.0

_log = structlog.get_logger(__name__)


class LocalReader:
    """A ContentReader over a pool of processes. A pool that was given is the giver's to close."""

    def __init__(self, pool: CpuPool | None = None, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        self._pool = pool or CpuPool()
        self._owns_pool = pool is None
        self._timeout_seconds = timeout_seconds

    async def read(self, raw: bytes) -> ReadMail:
        """Read one message. Never raises for a bad message; PoolClosed when the reader is closed meanwhile,
        CpuOverloaded when the machine is too busy: the same message can be read later.
        """
        if len(raw) > MESSAGE_BYTES:
            return _give_up(f"larger than {MESSAGE_BYTES >> 20} MiB")
        try:
            return await self._pool.run(read_mail, raw, timeout_seconds=self._timeout_seconds)
        except CpuLimitExceeded as limit:
            return _give_up(f"reading it {limit}")
        except (PoolClosed, CpuOverloaded):
            raise
        except Exception as fault:
            # A fault of ours must not stop a mailbox: the raw message is kept and can be read again after a fix.
            _log.exception("mail_reader_failed", size=len(raw))
            return _give_up(f"the reader failed: {type(fault).__name__}")

    async def close(self) -> None:
        if self._owns_pool:
            await self._pool.close()


def _give_up(note: str) -> ReadMail:
    return ReadMail(MessageClass.UNPARSABLE, notes=(note,))
