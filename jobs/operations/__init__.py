"""The things that may be done to a job, one file each, inside the caller's transaction.

Each is one statement whose WHERE clause is the guard: no row changed means that
somebody else was first, and the caller stops.
"""
