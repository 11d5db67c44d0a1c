"""The engine that `python -m realtime.engine` starts.

The embedded profile is a stand-in that speaks vLLM's HTTP API and summarizes by
picking sentences: real answers on a machine without a GPU, and the same code paths
in everything that calls it. The contract suite in tests/contract/engine runs
unchanged against vLLM; what passes there may be relied on.

No module here opens a database, a queue or a connection of its own.
"""
