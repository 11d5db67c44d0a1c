"""Looks at an engine from outside before anything is started for it.

A mistyped address is told in a second and in one sentence, instead of by a gateway that
never becomes ready.
"""

from deploy.local.refusals import StackRefused
from deploy.local.services import EngineChoice
from plumbing.engine_client import EngineClient
from plumbing.engine_discovery import discover
from plumbing.engine_errors import EngineError


async def check_engine(choice: EngineChoice) -> None:
    if choice.url is None:
        return
    client = EngineClient(choice.url, api_key=choice.api_key)
    try:
        await discover([client], model=choice.model, context=choice.context)
    except EngineError as error:
        raise StackRefused(
            f"the engine at {choice.url} cannot be used ({error}): check --engine-url, "
            "--engine-model and PRECIS_ENGINE_API_KEY"
        ) from error
    finally:
        await client.close()
