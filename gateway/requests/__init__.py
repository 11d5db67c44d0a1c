"""What a request may say: JSON, parameters, preferences, times, tags; no I/O."""
