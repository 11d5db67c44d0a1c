"""All that crosses a process border: the public job object, hints, problems, events."""
