"""The newsletters' content, read from the TOML files beside this module. All of it was written for this sample."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any, Literal

Layout = Literal["letter", "table", "digest", "plain", "markdown"]
Body = Literal["text", "html", "alternative"]
Bulk = Literal["full", "listid", "unsubscribe", "wording"]


@dataclass(frozen=True, slots=True)
class Item:
    """One story of an issue."""

    title: str
    text: str
    link: str


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who writes, and how its mails are made. `bulk`: which headers of mass mail it sets."""

    key: str
    name: str
    address: str
    language: str
    layout: Layout
    body: Body
    charset: str
    encoding: str
    bulk: Bulk
    greeting: str
    closing: str
    imprint: str

    @property
    def host(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue and who gets it. Its `key` (`publisher/number`) is the same for all its readers."""

    publisher: Publisher
    number: int
    date: datetime
    subject: str
    readers: Sequence[str]
    intro: str
    items: Sequence[Item]
    planted_failure: bool = False
    attachment: str | None = None
    damage: str | None = None
    """What happened to it on its way: a key of `damage.DAMAGES`."""

    @property
    def key(self) -> str:
        return f"{self.publisher.key}/{self.number}"


def load_issues() -> list[Issue]:
    """All issues, oldest first."""
    folder = resources.files("tournee_sandbox.mailbox") / "content"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    issues = [issue for file in files for issue in _read_publisher(tomllib.loads(file.read_text(encoding="utf-8")))]
    return sorted(issues, key=lambda issue: (issue.date, issue.key))


def _read_publisher(content: Mapping[str, Any]) -> list[Issue]:
    publisher = Publisher(**{name: value for name, value in content.items() if name != "issue"})
    return [_read_issue(publisher, issue) for issue in content["issue"]]


def _read_issue(publisher: Publisher, content: Mapping[str, Any]) -> Issue:
    rest = {name: value for name, value in content.items() if name not in ("item", "readers")}
    items = tuple(Item(**item) for item in content["item"])
    return Issue(publisher=publisher, items=items, readers=tuple(content["readers"]), **rest)
