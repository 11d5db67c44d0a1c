"""The whole of Precis on one machine, on the real parts.

A supervisor starts Postgres, Valkey, Kafka, a mail sink, the engines and our own
processes as its children, keeps them alive and leaves none behind. It imports
`plumbing` and nothing else of ours: the processes are started by name and spoken to
over their ports, as an operator would.

Only the data folder that it is given is written to. The one thing outside is a cache,
the Kafka jars under PRECIS_CACHE_DIR (or ~/.cache/precis), which may be deleted at any
time.
"""
