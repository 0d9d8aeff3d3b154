"""An exception as it is taken along to the log's thread: its words and where it was, nothing that it holds.

A traceback keeps every local variable of its frames alive, whole mails among them; a queue of thousands of them would
not be bounded. So only code and line numbers are kept, which is quick as well; the text is made later.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from types import CodeType, TracebackType

MOST_FRAMES = 40
DEEPEST = 8
MOST_CHILDREN = 5
LONGEST_WORDS = 8_192

_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"


@dataclass(frozen=True, slots=True)
class CapturedError:
    """Class, words and places of an exception, of what caused it, and of the exceptions in a group."""

    name: str
    words: str
    places: Sequence[tuple[CodeType, int]]
    left_out: int = 0
    """Frames nearest to the caller that are not kept."""
    before: CapturedError | None = None
    is_cause: bool = False
    children: Sequence[CapturedError] = ()

    def format(self) -> str:
        """The text, as Python would print it."""
        parts = [self.before.format(), _CAUSE if self.is_cause else _CONTEXT] if self.before is not None else []
        if self.places:
            parts.append("Traceback (most recent call last):\n")
        if self.left_out:
            parts.append(f"  [{self.left_out} more frames]\n")
        frames = [
            traceback.FrameSummary(code.co_filename, line, code.co_name, lookup_line=False)
            for code, line in self.places
        ]
        parts += traceback.StackSummary.from_list(frames).format()
        parts.append(f"{self.name}: {self.words}\n" if self.words else f"{self.name}\n")
        for number, child in enumerate(self.children, 1):
            parts.append(f"--- {number} of the group:\n{child.format()}")
        return "".join(parts)


def capture_error(error: BaseException, depth: int = 0) -> CapturedError:
    """Take along what a log line needs. Never raises, whatever the exception does when it is asked for its words."""
    places, left_out = _walk(error.__traceback__)
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    children: Sequence[BaseException] = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    deeper = depth + 1
    return CapturedError(
        name=_name(type(error)),
        words=say(error),
        places=places,
        left_out=left_out,
        before=capture_error(before, deeper) if before is not None and deeper < DEEPEST else None,
        is_cause=error.__cause__ is not None,
        children=[capture_error(child, deeper) for child in children[:MOST_CHILDREN]] if deeper < DEEPEST else (),
    )


def say(error: BaseException) -> str:
    """Its words, bounded."""
    try:
        return str(error)[:LONGEST_WORDS]
    except Exception:
        return "an exception that could not be shown"


def _name(kind: type[BaseException]) -> str:
    module = kind.__module__
    return kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"


def _walk(trace: TracebackType | None) -> tuple[Sequence[tuple[CodeType, int]], int]:
    """The innermost frames; a recursion that ran too deep has a thousand."""
    places = []
    while trace is not None:
        places.append((trace.tb_frame.f_code, trace.tb_lineno))
        trace = trace.tb_next
    return places[-MOST_FRAMES:], max(0, len(places) - MOST_FRAMES)
