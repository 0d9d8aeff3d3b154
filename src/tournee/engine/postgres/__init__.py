"""The ledger in PostgreSQL: keeps `engine.ports.JobStore`. SQL lies in `queries/`, one file a statement."""
