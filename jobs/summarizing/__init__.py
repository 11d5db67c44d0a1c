"""Text in, text out: what a summary is made of, apart from the model's own words.

Counting tokens, cleaning, cutting into chunks, prompts, lengths, the plan of the
merge, the checks of an answer, coverage and citations. Gateway, worker and embedded
engine share these rules, so that a text counts the same on every side.

No module here opens a connection, reads a setting or writes a log line. All offsets
are code points of the text as the caller sent it.
"""
