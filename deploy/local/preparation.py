"""What is done once all servers stand and before our processes start.

Tables, logins, topics and the first tenant are made by those who own them, each in a
child of its own; running them again changes nothing. The tenant's key is asked for only where
DIR/secrets does not hold one, because it is shown only once.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from deploy.local.commands import Command, python_module
from deploy.local.data_folder import DataFolder
from deploy.local.errands import run_errand
from deploy.local.postgres_server import LOGINS
from deploy.local.refusals import StackRefused
from deploy.local.secret_files import SecretFiles

_WITHIN = timedelta(seconds=120)


class Preparation:
    def __init__(
        self,
        folder: DataFolder,
        *,
        owner: Mapping[str, str],
        operator: Mapping[str, str],
    ) -> None:
        """Take two environments: who owns the tables, and who runs `precis admin`."""
        self._folder = folder
        self._owner = owner
        self._operator = operator
        self._secrets = SecretFiles(folder.secrets)

    async def make_tables(self) -> None:
        await self._run("migrations", told=self._owner, purpose="making the tables")

    async def make_logins(self) -> None:
        passwords = {kind: self._secrets.login_password(kind) for kind in LOGINS}
        await self._run(
            "migrations.logins",
            told=self._owner,
            purpose="making the database's logins",
            input_text=json.dumps(passwords),
        )

    async def make_topics(self) -> None:
        await self._run(
            "deploy.local.topics",
            told=self._operator,
            purpose="making the Kafka topics",
        )

    async def make_tenant(self) -> None:
        if self._secrets.find("api_key") is not None:
            return
        # Not in the log, where all else goes: what is printed is the key.
        printed = self._folder.secrets / "bootstrap.json"
        printed.unlink(missing_ok=True)
        await self._run(
            *("precis", "admin", "bootstrap", "--json"),
            told=self._operator,
            purpose="making the first tenant",
            output=printed,
        )
        try:
            self._keep(json.loads(printed.read_text(encoding="utf-8")))
        except (ValueError, KeyError):
            raise StackRefused("the first tenant's key could not be read") from None
        finally:
            printed.unlink()

    def _keep(self, made: Mapping[str, str]) -> None:
        """Keep the tenant's secrets; the key last, since it says that all is done."""
        self._secrets.keep("webhook_secret", made["webhook_secret"])
        self._secrets.keep("api_key", made["api_key"])

    async def _run(
        self,
        module: str,
        *arguments: str,
        told: Mapping[str, str],
        purpose: str,
        output: Path | None = None,
        input_text: str = "",
    ) -> None:
        await run_errand(
            Command(
                argv=python_module(module, *arguments),
                environment=told,
                output=output,
                input_text=input_text,
            ),
            purpose=purpose,
            log=self._folder.log("preparation"),
            within=_WITHIN,
        )
