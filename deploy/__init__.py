"""Where Precis runs: one machine (`deploy.local`), containers, clusters.

Nothing here takes part in a request; it starts the processes that do.
"""
