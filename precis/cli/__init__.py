"""The command line: says to the client, the stack and the tables what a person typed.

Commands read their arguments, call one thing below and show what came of it. What
takes long to import (SQLAlchemy, the local stack, the demo) is imported by the
command that needs it, so that `precis status` answers in the time of an HTTP call.
"""
