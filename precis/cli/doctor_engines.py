"""The engines of both tiers as the doctor sees them: model, context, and a token each.

An engine that hangs goes on listing its model, so each is asked for one token, as the
pools do it.
"""

import asyncio
from pathlib import Path
from typing import Final

from plumbing.engine_client import EngineClient
from plumbing.engine_discovery import ServedModel, discover
from plumbing.engine_errors import EngineError, ModelUnclear
from plumbing.settings import EngineSettings, SettingsRefused
from precis.cli.doctor_findings import Finding, fail, ok, warn
from precis.cli.operating import read_told

_LOOK: Final = (
    "Check its addresses in {setting}, PRECIS_ENGINE_API_KEY, and that it runs."
)


async def check_engines(data: Path) -> list[Finding]:
    try:
        settings = read_told(EngineSettings, data=data)
    except SettingsRefused:
        remedy = "Correct the settings named above."
        return [fail("engines", "their settings cannot be read", remedy=remedy)]
    pools = {
        "realtime": settings.realtime_engine_urls,
        "batch": settings.batch_engine_urls,
    }
    looked = await asyncio.gather(
        *(_look(tier, urls, settings) for tier, urls in pools.items())
    )
    found = [finding for finding, _ in looked]
    names = {served.name for _, served in looked if served is not None}
    if len(names) > 1:
        told = f"the tiers serve different models: {', '.join(sorted(names))}"
        remedy = "Let both serve one: a text may be summarized by either."
        found.append(fail("engines", told, remedy=remedy))
    return found


async def _look(
    tier: str, urls: tuple[str, ...], settings: EngineSettings
) -> tuple[Finding, ServedModel | None]:
    setting = f"PRECIS_{tier.upper()}_ENGINE_URLS"
    if not urls:
        return _no_pool(tier, setting), None
    key = settings.engine_api_key
    clients = [
        EngineClient(url, api_key=key.get_secret_value() if key else None)
        for url in urls
    ]
    try:
        served = await discover(
            clients, model=settings.engine_model, context=settings.engine_context
        )
        silent = await _probe(clients, served)
    except ModelUnclear as error:
        remedy = "Let all engines serve one model, and name it in PRECIS_ENGINE_MODEL."
        return fail(f"{tier} engines", str(error), remedy=remedy), None
    except EngineError as error:
        remedy = _LOOK.format(setting=setting)
        return fail(f"{tier} engines", str(error), remedy=remedy), None
    finally:
        for client in clients:
            await client.close()
    return _judge(tier, served, len(clients), silent, setting=setting), served


async def _probe(clients: list[EngineClient], served: ServedModel) -> list[str]:
    """The names of those that generate nothing."""
    answers = await asyncio.gather(
        *(client.probe(served.name) for client in clients), return_exceptions=True
    )
    silent = []
    for client, answer in zip(clients, answers, strict=True):
        if isinstance(answer, EngineError):
            silent.append(f"{client.name} ({answer})")
        elif answer is not None:
            raise answer
    return silent


def _judge(
    tier: str, served: ServedModel, engines: int, silent: list[str], *, setting: str
) -> Finding:
    check = f"{tier} engines"
    model = f"model {served.name}, context {served.context} tokens"
    answering = engines - len(silent)
    if not silent:
        return ok(check, f"all {engines} generate; {model}")
    told = f"{answering} of {engines} generate, not {', '.join(silent)}; {model}"
    remedy = _LOOK.format(setting=setting)
    if answering:
        return warn(check, told, remedy=remedy)
    return fail(check, told, remedy=remedy)


def _no_pool(tier: str, setting: str) -> Finding:
    check, told = f"{tier} engines", f"{setting} is not set"
    if tier == "realtime":
        return warn(check, told, remedy="Without them every text goes to batch.")
    return fail(check, told, remedy="Set it: no long text can be summarized.")
