"""A capacity with shares: who waits, who is passed over, and that nothing is lost."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from gateway.parts.shares import NoRoom, Shares

ONE, TWO, THREE = uuid4(), uuid4(), uuid4()
LONG = timedelta(seconds=5)
AT_ONCE = timedelta(seconds=0)


async def granted(task: asyncio.Task[None]) -> bool:
    for _ in range(3):
        await asyncio.sleep(0)
    return task.done()


async def test_a_tenant_cannot_take_more_than_its_share() -> None:
    shares = Shares(10, share=4)
    assert shares.try_take(ONE, 4)
    assert not shares.try_take(ONE, 1)
    assert shares.try_take(TWO, 4)
    assert shares.free == 2


async def test_who_waits_for_its_own_share_holds_nobody_up() -> None:
    shares = Shares(10, share=4)
    await shares.take(ONE, 4, within=LONG)
    own = asyncio.create_task(shares.take(ONE, 1, within=LONG))
    other = asyncio.create_task(shares.take(TWO, 4, within=LONG))
    assert await granted(other)
    assert not await granted(own)
    shares.give_back(ONE, 4)
    assert await granted(own)


async def test_small_requests_do_not_pass_a_large_one_that_waits() -> None:
    shares = Shares(10, share=10)
    await shares.take(ONE, 8, within=LONG)
    large = asyncio.create_task(shares.take(TWO, 9, within=LONG))
    small = asyncio.create_task(shares.take(THREE, 1, within=LONG))
    assert not await granted(small)
    shares.give_back(ONE, 8)
    assert await granted(large)
    assert await granted(small)


async def test_a_wait_ends_in_time_and_lets_the_next_one_pass() -> None:
    shares = Shares(10, share=10)
    await shares.take(ONE, 8, within=LONG)
    large = asyncio.create_task(shares.take(TWO, 9, within=timedelta(seconds=0.01)))
    small = asyncio.create_task(shares.take(THREE, 2, within=LONG))
    with pytest.raises(NoRoom):
        await large
    assert await granted(small)


async def test_what_is_granted_to_someone_who_leaves_is_not_lost() -> None:
    shares = Shares(10, share=10)
    await shares.take(ONE, 10, within=LONG)
    leaving = asyncio.create_task(shares.take(TWO, 10, within=LONG))
    await asyncio.sleep(0)
    shares.give_back(ONE, 10)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert shares.free == 10
    assert shares.try_take(THREE, 10)


async def test_one_that_left_is_not_served() -> None:
    shares = Shares(10, share=10)
    await shares.take(ONE, 10, within=LONG)
    leaving = asyncio.create_task(shares.take(TWO, 10, within=LONG))
    await asyncio.sleep(0)
    leaving.cancel()
    shares.give_back(ONE, 10)
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert shares.free == 10
