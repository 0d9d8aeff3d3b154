"""The `tournee` command: parses arguments, calls `tournee.bootstrap`, prints, sets the exit code; nothing else."""
