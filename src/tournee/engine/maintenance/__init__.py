"""What keeps ledger and Redis in step: relay, rescuer, reconciler, dead-letter projection, pruner."""
