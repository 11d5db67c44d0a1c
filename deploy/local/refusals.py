"""The one error of the local stack.

It is for people: the message says what stands in the way and what to do about it, and
the command line prints it as it is. Bugs are left to be ordinary exceptions.
"""


class StackRefused(Exception):
    """The stack cannot start or go on; the message names the remedy."""
