"""The door: authentication, limits, tier choice, the HTTP interface and its problems.

`python -m gateway` serves it. State changes are made by `jobs.operations`; the
fast tier's call is `realtime`'s; the gateway only decides and translates.
"""
