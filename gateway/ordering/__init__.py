"""How a request for a summary becomes a job, step by step."""
