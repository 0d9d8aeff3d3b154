"""The words of OpenTelemetry's messaging conventions, as far as they are used here.

A job is a message, a queue its destination. Refuses what may tell of people or mails: no key, no tenant and no error
message becomes an attribute, since traces leave the house.
"""

from __future__ import annotations

from typing import TypeAlias

Attributes: TypeAlias = dict[str, str | int | bool]

SYSTEM = "tournee"
ENQUEUE = ("enqueue", "create")
DISPATCH = ("dispatch", "send")
PROCESS = ("process", "process")


def describe_message(operation: tuple[str, str], queue: str, kind: str, message_id: int | None = None) -> Attributes:
    """The attributes of a span about one job."""
    attributes: Attributes = {
        "messaging.system": SYSTEM,
        "messaging.destination.name": queue,
        "messaging.operation.name": operation[0],
        "messaging.operation.type": operation[1],
        "tournee.job.kind": kind,
    }
    if message_id is not None:
        attributes["messaging.message.id"] = str(message_id)
    return attributes


def name_span(operation: tuple[str, str], queue: str) -> str:
    """Operation and destination, as the conventions want it."""
    return f"{operation[0]} {queue}"
