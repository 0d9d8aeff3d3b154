"""The SQL of schema `news`, by name; see `tournee.db.queries`."""

from __future__ import annotations

from tournee.db.queries import load_queries

SQL = load_queries("tournee.pipeline.store")
