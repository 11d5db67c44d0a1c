"""What the demo claims, it checks: a claim that is not true ends it with status 1."""

from precis.screen.showing import show


class DemoFailed(Exception):
    """Something that the demo shows was not true; the message says what."""


def check(claim: str, *, holds: bool) -> None:
    """Show the claim as true, or raise with it."""
    if not holds:
        raise DemoFailed(f"not true: {claim}")
    show(f"  ✓ {claim}")


def headline(number: int, text: str) -> None:
    show()
    show(f"{number}. {text}")
