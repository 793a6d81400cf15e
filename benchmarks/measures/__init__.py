"""Single measurements, each run in a process of its own that prints one JSON object."""
