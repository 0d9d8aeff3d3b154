"""The embedded search index: full text search in PostgreSQL, for installations without Meilisearch."""

from tournee.integrations.local.index.embedded import EmbeddedIndex

__all__ = ["EmbeddedIndex"]
