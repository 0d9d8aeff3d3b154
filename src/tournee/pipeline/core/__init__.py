"""Pure rules of the pipeline: no I/O, no clock, no dice."""
