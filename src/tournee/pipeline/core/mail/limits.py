"""How much of one message is read. What lies beyond is counted in the notes, never an error.

The figures are generous for any newsletter and small enough that a hostile message costs seconds, not hours.
"""

from __future__ import annotations

from typing import Final

MESSAGE_BYTES: Final = 50 * 1024 * 1024
"""A larger message is `UNPARSABLE`; its raw bytes are the caller's to keep."""

HEAD_BYTES: Final = 64 * 1024
"""Within these first bytes a file shows a header field, or it is no mail."""

HEADER_BLOCK_BYTES: Final = 8 * 1024 * 1024
"""A header block that goes on longer (a hundred thousand recipients are 3 MiB) is cut here."""

HEADER_FIELDS: Final = 1_000
FIELD_CHARACTERS: Final = 16 * 1024
STRUCTURED_FIELD_CHARACTERS: Final = 2_000
"""Above this the parsers of the standard library, quadratic on some fields, are not asked."""

BODY_BYTES: Final = 4 * 1024 * 1024
"""Of one text part. Above it the part is cut."""

TEXT_CHARACTERS: Final = 1_000_000
"""Of the visible text as a whole."""

PARTS: Final = 2_000
DEPTH: Final = 60
HTML_DEPTH: Final = 5_000
"""Elements nested deeper make every HTML parser quadratic: such a page is read as its bare text."""

LINKS: Final = 1_000
ATTACHMENTS: Final = 100
DETECTION_CHARACTERS: Final = 60_000
"""What the rules of detection look at: the first two thirds of it from the start, the rest from the end."""

LANGUAGE_CHARACTERS: Final = 4_000
