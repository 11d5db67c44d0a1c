"""One run: the stack under load and faults, its recovery by itself, the verdict."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from deploy.local.errands import until
from tests.chaos.checker import Report, check
from tests.chaos.client import Customers
from tests.chaos.evidence import CLIENT, FAULTS, MAILS, OBSERVED, WEBHOOKS
from tests.chaos.faults import Faults
from tests.chaos.injecting import INJECTED, environment_for, read_injected
from tests.chaos.journal import Journal
from tests.chaos.keeper import STOP_WITHIN
from tests.chaos.leftovers import find_leftovers
from tests.chaos.mutants import apply_to_database, environment_of
from tests.chaos.observer import Observer
from tests.chaos.plan import Plan, make_folder, make_root, require_disk
from tests.chaos.receiver import Receiver
from tests.chaos.small_disk import SmallDisk
from tests.chaos.stack import Stack, open_stack

# Whoever was frozen last has woken and done its worst by then.
_AFTERMATH_SECONDS: Final = 3.0


@dataclass
class Outcome:
    plan: Plan
    report: Report
    faults: Mapping[str, int]
    durations: Mapping[str, float]
    lives: Mapping[str, int]
    own_ends: list[str]
    folder: Path
    injected: Mapping[str, Mapping[str, int]]

    def as_json(self) -> dict[str, Any]:
        return {
            "plan": self.plan.as_json(),
            "figures": self.report.figures,
            "verdict": self.report.lines()[-1],
            "violations": [vars(each) for each in self.report.violations],
            "faults": dict(self.faults),
            "seconds": dict(self.durations),
            "lives": dict(self.lives),
            "ended by themselves": self.own_ends,
            "injected": self.injected,
        }


Course = Callable[[Stack], Coroutine[Any, Any, None]]
"""Something that is done beside the load, until cancelled."""


async def run(plan: Plan, *, beside: Course | None = None) -> Outcome:
    """Everything from the empty folder to the verdict; nothing is left running."""
    require_disk(plan)
    root = make_root()
    # The journals are outside: what is written there must outlive a full disk.
    data = make_folder(plan.small_fs) if plan.small_fs else root
    try:
        return await _run_in(root, data, plan, beside or _nothing)
    finally:
        if not plan.keep:
            shutil.rmtree(root, ignore_errors=True)
            shutil.rmtree(data, ignore_errors=True)


async def _nothing(_stack: Stack) -> None:
    await asyncio.Event().wait()


async def _run_in(root: Path, data: Path, plan: Plan, beside: Course) -> Outcome:
    folder = root / "journals"
    folder.mkdir(mode=0o700)
    journal = Journal(folder / FAULTS)
    injection = environment_for(plan.injection, seed=plan.seed, notes=folder / INJECTED)
    async with (
        Receiver(Journal(folder / WEBHOOKS), seed=plan.seed) as receiver,
        open_stack(
            data / "data",
            journal,
            engine_seconds=plan.engine_seconds,
            extra=environment_of(plan.mutant) | injection,
            receiver_port=receiver.port,
        ) as stack,
    ):
        (folder / MAILS).symlink_to(stack.ready.mail_dir)
        apply_to_database(plan.mutant, stack.ready.database_url)
        async with _background(beside(stack)):
            return await _strike_and_judge(plan, stack, folder, journal)


async def _strike_and_judge(
    plan: Plan, stack: Stack, folder: Path, journal: Journal
) -> Outcome:
    disk = SmallDisk(plan.small_fs) if plan.small_fs else None
    faults = Faults(stack, journal, seed=plan.seed, targets=plan.targets, disk=disk)
    observer = Observer(stack.ready.database_url, Journal(folder / OBSERVED))
    durations: dict[str, float] = {}
    async with _background(observer.watch()):
        async with _background(stack.keeper.keep()):
            await _under_fire(plan, stack, faults, folder, durations)
            await _drain(plan, observer, faults, durations)
            await asyncio.sleep(_AFTERMATH_SECONDS)
        stops = await stack.keeper.stop()
    durations["stop"] = max(stops.values(), default=STOP_WITHIN.total_seconds())
    leftovers = find_leftovers(mark=stack.mark, scratch=stack.scratch)
    report = check(
        stack.ready.database_url, folder, seed=plan.seed, leftovers=leftovers
    )
    return Outcome(
        plan=plan,
        report=report,
        faults=faults.done,
        durations=durations,
        lives={name: each.lives for name, each in stack.keeper.children.items()},
        own_ends=stack.keeper.own_ends,
        folder=folder,
        injected=read_injected(folder / INJECTED),
    )


async def _under_fire(
    plan: Plan,
    stack: Stack,
    faults: Faults,
    folder: Path,
    durations: dict[str, float],
) -> None:
    for name, seconds in plan.latency.items():
        stack.proxies[name].latency = seconds
    customers = Customers(
        stack.gateways,
        api_key=stack.ready.api_key,
        webhook_url=f"http://127.0.0.1:{stack.proxies['receiver'].port}/hook",
        journal=Journal(folder / CLIENT),
        seed=plan.seed,
        habits=plan.habits,
    )
    began = time.monotonic()
    ordering = asyncio.create_task(customers.order_all(plan.jobs, seconds=plan.seconds))
    try:
        async with _background(faults.strike(plan.faults, every=plan.every)):
            await asyncio.sleep(plan.seconds)
    finally:
        await faults.heal()
    durations["faults"] = round(time.monotonic() - began, 1)
    await ordering
    await customers.close()


async def _drain(
    plan: Plan, observer: Observer, faults: Faults, durations: dict[str, float]
) -> None:
    """Wait until nothing is open any more; what is, is the checker's matter."""
    began, looks = time.monotonic(), observer.looks

    def is_done() -> bool:
        return observer.looks > looks + 1 and not any(observer.open)

    async def is_done_now() -> bool:
        await asyncio.sleep(0.1)
        return is_done()

    await until(is_done_now, within=timedelta(seconds=plan.drain_seconds))
    durations["drain"] = round(time.monotonic() - began, 1)
    if faults.last_at:
        durations["after the last fault"] = round(time.time() - faults.last_at, 1)


@asynccontextmanager
async def _background(work: Any) -> AsyncIterator[None]:
    """Run it beside the block; if it breaks, the block's end tells."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        if task.done():
            task.result()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
