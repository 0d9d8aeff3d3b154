"""The engine's rules and words: pure, without any I/O."""
