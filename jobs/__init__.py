"""What a job is, how it may change, how it rests and how it travels.

`lifecycle` is the state machine as data; `operations/` holds one file per thing
that may be done to a job, each inside the caller's transaction; `store/` reads
and writes what rests in Postgres; `messages/` shapes all that crosses a process
border; `summarizing/` is pure text in, text out. `asking` and `counting` alone speak
to engines, through the pool or the clients that their callers bring.

No module here opens a connection or commits.
"""
