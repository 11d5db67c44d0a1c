"""Rows on their way into a statement: one JSON parameter, not an array a column.

The driver writes arrays item by item in Python, which costs more than all the rest of a
statement. `json_to_recordset` gives the columns their types again; bytes travel as hex
digits. Large boxes do not belong here: they go as arrays of bytea.
"""

from collections.abc import Mapping, Sequence

from pydantic_core import to_json


def as_rows(rows: Sequence[Mapping[str, object]]) -> str:
    return to_json(rows, bytes_mode="hex").decode()
