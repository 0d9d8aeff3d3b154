"""SQL texts by name.

Owns the rule that SQL lives in `queries/<name>.sql` beside the module that calls it. A text is read once per
process; a missing or uncommented file is refused at start, not at the first call in the night.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources


class QueryNotFound(KeyError):
    """No file of that name lies in the package's `queries` folder."""


class Queries(Mapping[str, str]):
    """The SQL texts of one package, by the name of their file: `queries["enqueue_jobs"]`."""

    def __init__(self, package: str, texts: Mapping[str, str]) -> None:
        self._package = package
        self._texts = dict(texts)

    def __getitem__(self, name: str) -> str:
        try:
            return self._texts[name]
        except KeyError:
            raise QueryNotFound(f"{self._package}/queries/{name}.sql") from None

    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def load_queries(package: str) -> Queries:
    """Read every `queries/*.sql` of `package`, whose first line must be a comment saying what it is for.

    Raises ValueError for a file that opens without one.
    """
    texts: dict[str, str] = {}
    for entry in resources.files(package).joinpath("queries").iterdir():
        if not entry.name.endswith(".sql"):
            continue
        text = entry.read_text(encoding="utf-8")
        if not text.startswith("--"):
            raise ValueError(f"{package}/queries/{entry.name} opens without a comment on its purpose")
        texts[entry.name.removesuffix(".sql")] = text
    return Queries(package, texts)
