"""The typed client: needs httpx and nothing else of ours, so that it can stand alone.

What to send and what an answer means is decided by pure generators (`flows`); two
thin drivers (`connection`) carry them out, one blocking, one on asyncio. No module
here imports `jobs`, `plumbing` or anything above them, and none reads the environment.
"""
