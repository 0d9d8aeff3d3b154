"""Small foundations with no knowledge of the engine or of mail: ids, clock, lifecycle, telemetry."""
