"""Alembic asks for this file; migrations run through `tournee.db.migrations.migrate` only."""

raise SystemExit("run `tournee migrate` instead of alembic's own command")
