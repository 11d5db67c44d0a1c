"""The lanes in which a delivery is due, as a part of a statement.

By skip-scan: one probe of the index a lane, however many rows it has. The statement
begins with it, and leaves out the last row, which is null.
"""

from typing import Final

DUE_LANES: Final = """
WITH RECURSIVE lanes AS (
    (SELECT lane FROM delivery WHERE state = 'due' ORDER BY lane LIMIT 1)
    UNION ALL
    SELECT (SELECT d.lane FROM delivery d WHERE d.state = 'due' AND d.lane > l.lane
            ORDER BY d.lane LIMIT 1)
    FROM lanes l WHERE l.lane IS NOT NULL
)"""
