"""A stage on a database of its own, for one test."""

from tests.model.machine import stage, unguarded

__all__ = ["stage", "unguarded"]
