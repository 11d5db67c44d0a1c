"""What is refused without a look into the database: there is none to look into here."""

import pytest

from gateway.parts.authentication import KeyRing
from gateway.problems.answers import RequestRefused
from jobs.api_keys import ApiKey
from plumbing.database import Database, DatabaseUnavailable

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def key_ring() -> KeyRing:
    return KeyRing(Database(NOWHERE, pool_size=1), pepper=b"pepper")


def damaged(key: str) -> str:
    return key[:-1] + ("a" if key[-1] != "a" else "b")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer sk_live_short",
        f"Bearer {damaged(ApiKey.generate().shown())}",
        f"Basic {ApiKey.generate().shown()}",
        ApiKey.generate().shown(),
        f"Bearer {ApiKey.generate().shown()} more",
        "Bearer " + "x" * 100_000,
    ],
)
async def test_a_malformed_key_never_reaches_the_database(
    authorization: str | None,
) -> None:
    with pytest.raises(RequestRefused) as caught:
        await key_ring().identify(authorization)
    assert caught.value.code == "unauthorized"


async def test_a_well_formed_key_is_looked_up() -> None:
    with pytest.raises(DatabaseUnavailable):
        await key_ring().identify(f"Bearer {ApiKey.generate().shown()}")
