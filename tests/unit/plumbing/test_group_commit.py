"""Rows that wait are written together, and a bad row fails alone."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from plumbing.database import DatabaseUnavailable
from plumbing.group_commit import GroupCommit


async def test_rows_that_wait_share_a_group() -> None:
    groups: list[list[int]] = []

    async def flush(rows: Sequence[int]) -> list[int]:
        groups.append(list(rows))
        await asyncio.sleep(0)
        return [row * 10 for row in rows]

    commit = GroupCommit(flush, max_rows=4)
    outcomes = await asyncio.gather(*(commit.put(n) for n in range(10)))
    assert outcomes == [n * 10 for n in range(10)]
    assert [len(group) for group in groups] == [4, 4, 2]


async def test_a_refused_row_fails_alone() -> None:
    async def flush(rows: Sequence[int]) -> list[int]:
        if 3 in rows:
            raise IntegrityError("", {}, Exception("no"))
        return list(rows)

    commit = GroupCommit(flush)
    outcomes = await asyncio.gather(
        *(commit.put(n) for n in range(5)), return_exceptions=True
    )
    assert outcomes[:3] == [0, 1, 2]
    assert isinstance(outcomes[3], IntegrityError)
    assert outcomes[4] == 4


async def test_an_outage_reaches_every_caller_and_is_not_retried() -> None:
    calls = 0

    async def flush(rows: Sequence[int]) -> list[int]:
        nonlocal calls
        calls += 1
        raise ConnectionError

    commit = GroupCommit(flush)
    outcomes = await asyncio.gather(
        *(commit.put(n) for n in range(3)), return_exceptions=True
    )
    assert all(isinstance(each, ConnectionError) for each in outcomes)
    assert calls == 1
    with pytest.raises(ConnectionError):
        await commit.put(1)


async def test_a_caller_that_leaves_does_not_hold_up_the_others() -> None:
    gate = asyncio.Event()

    async def flush(rows: Sequence[int]) -> list[int]:
        await gate.wait()
        return list(rows)

    commit = GroupCommit(flush)
    leaving, staying = (asyncio.create_task(commit.put(n)) for n in range(2))
    await asyncio.sleep(0.01)
    leaving.cancel()
    gate.set()
    assert await staying == 1


async def test_a_row_whose_caller_has_left_is_not_written() -> None:
    gate = asyncio.Event()
    written: list[int] = []

    async def flush(rows: Sequence[int]) -> list[int]:
        await gate.wait()
        written.extend(rows)
        return list(rows)

    commit = GroupCommit(flush, max_rows=1)
    first, leaving, staying = (asyncio.create_task(commit.put(n)) for n in range(3))
    await asyncio.sleep(0.01)
    leaving.cancel()
    gate.set()
    assert list(await asyncio.gather(first, staying)) == [0, 2]
    assert written == [0, 2]


async def test_a_commit_that_hangs_holds_nobody_for_long() -> None:
    gate = asyncio.Event()
    written: list[int] = []

    async def flush(rows: Sequence[int]) -> list[int]:
        await gate.wait()
        written.extend(rows)
        return list(rows)

    commit = GroupCommit(flush, patience=timedelta(milliseconds=20), max_rows=1)
    outcomes = await asyncio.gather(
        *(commit.put(n) for n in range(3)), return_exceptions=True
    )
    assert all(isinstance(each, DatabaseUnavailable) for each in outcomes)
    gate.set()
    assert await commit.put(3) == 3
    assert written == [0, 3]
