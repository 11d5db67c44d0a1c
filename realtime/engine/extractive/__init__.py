"""How the embedded engine summarizes: it ranks all sentences and keeps the best.

Pure text in, text out, deterministic, nothing downloaded. HTTP, queues and token
limits of a context belong to the package above.
"""
