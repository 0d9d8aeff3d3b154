"""The public face of the engine (contract; being built)."""
