"""A sealed word that tells a process at its start whether its master key is right.

Written with the first tenant, before there can be a job. Without it a wrong key would
be noticed only by jobs that cannot be opened.
"""

from typing import Final

from sqlalchemy import text

from plumbing.database import Transaction
from plumbing.sealing import BoxBroken, MasterKey
from plumbing.settings import SettingsRefused

LABEL: Final = "canary"
_WORD: Final = b"alive"


class MasterKeyWrong(SettingsRefused):
    def __init__(self) -> None:
        super().__init__(
            "PRECIS_MASTER_KEY: it does not open what this database holds. Set the key "
            "that the database was begun with, or, while keys are being replaced, name "
            "the older one in PRECIS_MASTER_KEY_PREVIOUS until `precis admin "
            "rotate-master-key` says that none is left"
        )


async def check_master_key(tx: Transaction, master_key: MasterKey) -> None:
    """Raise `MasterKeyWrong` if the canary does not open; none is there to be wrong."""
    sealed = await tx.scalar(text("SELECT sealed FROM canary"))
    if sealed is None:
        return
    try:
        master_key.open(sealed, label=LABEL)
    except BoxBroken:
        raise MasterKeyWrong from None


async def keep_canary(tx: Transaction, master_key: MasterKey) -> None:
    """Put the canary in place if it is missing, or check it."""
    await tx.execute(
        text("INSERT INTO canary (sealed) VALUES (:sealed) ON CONFLICT DO NOTHING"),
        {"sealed": master_key.seal(_WORD, label=LABEL)},
    )
    await check_master_key(tx, master_key)


async def renew_canary(tx: Transaction, master_key: MasterKey) -> None:
    """Let it be sealed by the newest key, so that older ones alone are refused."""
    await keep_canary(tx, master_key)
    await tx.execute(
        text("UPDATE canary SET sealed = :sealed"),
        {"sealed": master_key.seal(_WORD, label=LABEL)},
    )
