"""Measured comparisons, run by hand with `make bench`; never part of the tests.

Each compares Precis with the plain way of doing the same, side by side in one run,
interleaved, several rounds: ratios carry over to other machines, figures do not. What
is measured how, and where the comparison is unfair, stands in README.md.
"""
