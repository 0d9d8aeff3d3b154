"""The kit's own statements."""

from __future__ import annotations

from tournee.db.queries import load_queries

SQL = load_queries("tournee.engine.testing")
