"""The worker: fetches from BullMQ, claims in the ledger, runs handlers, completes."""
