"""What needs no account and no network: the embedded analyser, the embedded index."""
