"""The four people whose mailboxes the sample holds, and how each keeps mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Keeping = Literal["files", "months", "mbox", "maildir"]


@dataclass(frozen=True, slots=True)
class Person:
    """`keeping`: .eml files in one folder, in a folder a month, one mbox file, or a Maildir."""

    key: str
    first_name: str
    full_name: str
    keeping: Keeping

    @property
    def address(self) -> str:
        return f"{self.key}@post.example"


PEOPLE = {
    person.key: person
    for person in (
        Person("alice", "Alice", "Alice Wrenfield", "files"),
        Person("bruno", "Bruno", "Bruno Castanier", "months"),
        Person("chloe", "Chloé", "Chloé Vasseur-Lind", "mbox"),
        Person("dieter", "Dieter", "Dieter Kranzbühler", "maildir"),
    )
}
