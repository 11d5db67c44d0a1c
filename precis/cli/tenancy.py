"""What an operator does to tenants and their keys, straight in the database.

Every deed is one transaction, its line in the audit included. Secrets are made here,
shown once by the command, and stored only sealed (webhook secrets) or as an HMAC
(API keys).
"""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from jobs.api_keys import ApiKey
from jobs.ids import new_id
from jobs.store import tenant_store
from jobs.store.audit_store import record_act
from jobs.store.canary_store import MasterKeyWrong, keep_canary
from jobs.store.tenant_store import StoredKey, Tenant, TooManyKeys
from notifier.mail_addresses import AddressRefused, check_mail_address
from notifier.signatures import new_secret
from plumbing.database import Database, RowRefused, Transaction
from plumbing.sealing import BoxBroken, KeyMalformed, MasterKey
from plumbing.settings import DatabaseSettings, SecretSettings, read_settings
from precis.cli.exits import CommandRefused, Exit
from precis.cli.operating import read_actor
from precis.cli.tables import open_database

LOCAL_TENANT: Final = "local"
_LOCAL_OWNER: Final = "owner@example.com"


class AdminSettings(DatabaseSettings, SecretSettings):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrapped:
    tenant_id: UUID
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)


class TenantExists(CommandRefused):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is a tenant {name} already: `precis admin tenant list`.",
            status=Exit.NOT_DONE,
        )


class Tenancy:
    def __init__(
        self, database: Database, *, master_key: MasterKey, pepper: bytes, actor: str
    ) -> None:
        self._database = database
        self._actor = actor
        self._master_key = master_key
        self._pepper = pepper

    async def bootstrap(self) -> Bootstrapped:
        """The local tenant with a new key; several callers at once share the tenant."""
        with contextlib.suppress(TenantExists):
            await self.create_tenant(LOCAL_TENANT, owner=_LOCAL_OWNER, weight=1)
        async with self._database.transaction() as tx:
            secret = await self._read_secret(tx, LOCAL_TENANT)
            tenant_id = await get_tenant_id(tx, LOCAL_TENANT)
            key = await self._create_key(
                tx, LOCAL_TENANT, name="bootstrap", expires_at=None
            )
        return Bootstrapped(tenant_id=tenant_id, api_key=key, webhook_secret=secret)

    async def create_tenant(self, name: str, *, owner: str, weight: float) -> UUID:
        try:
            address = check_mail_address(owner)
        except AddressRefused as error:
            raise CommandRefused(
                f"--owner is not one plain mail address ({error.code}).",
                status=Exit.USAGE,
            ) from error
        tenant_id = new_id()
        try:
            async with self._database.transaction() as tx:
                await self._check_key(tx)
                await tenant_store.create_tenant(
                    tx,
                    tenant_id,
                    name=name,
                    owner_email=address,
                    weight=weight,
                    webhook_secret=self._seal(new_secret(), tenant_id),
                )
                await self._record(tx, "tenant.create", name)
        except RowRefused:
            raise TenantExists(name) from None
        return tenant_id

    async def list_tenants(self) -> list[Tenant]:
        async with self._database.statement() as tx:
            return await tenant_store.list_tenants(tx)

    async def read_secret(self, name: str) -> str:
        async with self._database.transaction() as tx:
            secret = await self._read_secret(tx, name)
            await self._record(tx, "tenant.show-secret", name)
        return secret

    async def rotate_secret(self, name: str) -> str:
        """A new signing secret; receivers see both signatures for 24 hours."""
        secret = new_secret()
        async with self._database.transaction() as tx:
            await self._check_key(tx)
            tenant_id = await get_tenant_id(tx, name)
            sealed = self._seal(secret, tenant_id)
            await tenant_store.rotate_webhook_secret(tx, tenant_id, sealed=sealed)
            await self._record(tx, "tenant.rotate-secret", name)
        return secret

    async def create_key(
        self, tenant: str, *, name: str, lifetime: timedelta | None
    ) -> str:
        expires_at = None if lifetime is None else datetime.now(UTC) + lifetime
        async with self._database.transaction() as tx:
            return await self._create_key(tx, tenant, name=name, expires_at=expires_at)

    async def list_keys(self, tenant: str) -> list[StoredKey]:
        async with self._database.transaction() as tx:
            return await tenant_store.list_keys(tx, await get_tenant_id(tx, tenant))

    async def revoke_key(self, key_id: str) -> bool:
        async with self._database.transaction() as tx:
            is_revoked = await tenant_store.revoke_key(tx, key_id)
            if is_revoked:
                await self._record(tx, "key.revoke", key_id)
        return is_revoked

    async def _create_key(
        self,
        tx: Transaction,
        tenant: str,
        *,
        name: str,
        expires_at: datetime | None,
    ) -> str:
        key = ApiKey.generate()
        try:
            await tenant_store.create_key(
                tx,
                key.id,
                tenant_id=await get_tenant_id(tx, tenant),
                name=name,
                secret_hmac=key.hmac(self._pepper),
                expires_at=expires_at,
            )
        except TooManyKeys:
            raise CommandRefused(
                "The tenant has two live keys, which is the most. Find the one that "
                "nobody uses with `precis admin key list TENANT`, end it with "
                "`precis admin key revoke ID`, then repeat this.",
                status=Exit.NOT_DONE,
            ) from None
        await self._record(tx, "key.create", tenant, key_id=key.id)
        return key.shown()

    async def _record(
        self, tx: Transaction, action: str, subject: str, **details: str
    ) -> None:
        await record_act(
            tx, action, actor=self._actor, subject=subject, details=details
        )

    async def _check_key(self, tx: Transaction) -> None:
        """Nothing may be sealed by a key that nobody else has."""
        try:
            await keep_canary(tx, self._master_key)
        except MasterKeyWrong as error:
            raise CommandRefused(f"{error}.", status=Exit.NOT_DONE) from None

    async def _read_secret(self, tx: Transaction, name: str) -> str:
        tenant_id = await get_tenant_id(tx, name)
        sealed = await tenant_store.get_webhook_secrets(tx, tenant_id)
        try:
            return self._master_key.open(
                sealed.current, label=_label(tenant_id)
            ).decode()
        except BoxBroken:
            raise CommandRefused(
                "PRECIS_MASTER_KEY is not the key of this database. Set the one "
                "that the gateway runs with.",
                status=Exit.NOT_DONE,
            ) from None

    def _seal(self, secret: str, tenant_id: UUID) -> bytes:
        return self._master_key.seal(secret.encode(), label=_label(tenant_id))


@asynccontextmanager
async def open_tenancy() -> AsyncIterator[Tenancy]:
    """The tenants of the database that the environment names."""
    settings = read_settings(AdminSettings)
    try:
        master_key = MasterKey(*settings.master_keys)
    except KeyMalformed as error:
        raise CommandRefused(f"{error}.", status=Exit.USAGE) from error
    pepper = settings.key_pepper.get_secret_value().encode()
    async with open_database(settings) as database:
        yield Tenancy(
            database, master_key=master_key, pepper=pepper, actor=read_actor()
        )


async def get_tenant_id(tx: Transaction, name: str) -> UUID:
    tenant = await tenant_store.find_tenant(tx, name)
    if tenant is None:
        raise CommandRefused(
            f"There is no tenant {name}. `precis admin tenant list` shows them, "
            f"`precis admin tenant create {name} --owner MAIL` makes it.",
            status=Exit.NOT_FOUND,
        )
    return tenant.id


def _label(tenant_id: UUID) -> str:
    return f"webhook-secret:{tenant_id.hex}"
