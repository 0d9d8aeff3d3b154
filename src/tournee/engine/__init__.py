"""The job engine: BullMQ queues with a PostgreSQL ledger. It knows nothing of mail."""
