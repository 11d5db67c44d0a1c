"""The whole stack by its one handle: start it, keep it, stop it.

Here are the order and the wiring: servers first and side by side, then tables, topics
and the tenant, then our own processes. How a process is started, watched and ended is
the supervisor's; how each server is set up is its launcher's.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from deploy.local.data_folder import DataFolder, FolderLock, open_folder
from deploy.local.engine_check import check_engine
from deploy.local.errands import side_by_side
from deploy.local.guardianship import end_last_run
from deploy.local.layout import SERVERS, Layout, lay_out
from deploy.local.preparation import Preparation
from deploy.local.ready import Ready, remove_ready, write_ready
from deploy.local.restart_pause import LONGEST_PAUSE
from deploy.local.services import ENGINES, MODULES, EngineChoice
from deploy.local.supervisor import OnProgress, Supervisor


@dataclass(frozen=True, kw_only=True)
class StackOptions:
    data_dir: Path
    port: int = 0
    """The gateway's; 0 takes last time's, else any free one."""
    engine_url: str | None = None
    engine_model: str | None = None
    engine_context: int | None = None
    engine_api_key: str | None = field(default=None, repr=False)
    ready_file: Path | None = None
    only: frozenset[str] | None = None
    """Names as in `pids`; without any process of ours no tables are made."""
    longest_pause: timedelta = LONGEST_PAUSE
    """Before a part that dies again and again is started anew."""

    @property
    def engine(self) -> EngineChoice:
        return EngineChoice(
            url=self.engine_url,
            model=self.engine_model,
            context=self.engine_context,
            api_key=self.engine_api_key,
        )

    def wants(self, name: str) -> bool:
        if name in ENGINES and self.engine_url is not None:
            return False
        return self.only is None or name in self.only


class LocalStack:
    """To be used from the main thread, by one event loop.

    `start` and `stop` pair; a start that fails or is cancelled has stopped all again.
    """

    def __init__(
        self,
        options: StackOptions,
        *,
        on_progress: OnProgress = lambda _name, _state: None,
    ) -> None:
        self._options = options
        self._folder = DataFolder(options.data_dir.resolve())
        self._lock = FolderLock(self._folder)
        self._supervisor = Supervisor(
            self._folder, on_progress=on_progress, longest_pause=options.longest_pause
        )
        self._on_progress = on_progress

    async def start(self) -> Ready:
        """Start everything in order; the ready file appears when all of it serves."""
        open_folder(self._folder.root)
        self._lock.take()
        try:
            return await self._start_all()
        except BaseException:
            await self.stop()
            raise

    async def run_until(self, stop: asyncio.Event) -> None:
        """Keep every process alive, and the ready file true, until told to stop."""
        await self._supervisor.watch(stop, on_change=self._tell)

    async def stop(self) -> None:
        """End everything, our own processes before what they stand on."""
        if not self._lock.is_held:
            return
        remove_ready(self._ready_files)
        await self._supervisor.stop(list(MODULES))
        await self._supervisor.stop([*ENGINES, *SERVERS])
        self._supervisor.close()
        self._lock.release()

    @property
    def _ready_files(self) -> list[Path]:
        asked = self._options.ready_file
        return [self._folder.ready, *([asked] if asked else [])]

    async def _start_all(self) -> Ready:
        remove_ready(self._ready_files)
        await end_last_run(self._folder.run_record)
        await check_engine(self._options.engine)
        self._layout = layout = lay_out(
            self._folder,
            engine=self._options.engine,
            gateway_port=self._options.port,
        )
        await self._start_servers(layout)
        await self._prepare(layout)
        await self._start_services(layout)
        return self._tell()

    async def _start_servers(self, layout: Layout) -> None:
        wanted = filter(self._options.wants, (*SERVERS, *ENGINES))
        await side_by_side(*(self._start_server(layout, name) for name in wanted))

    async def _start_server(self, layout: Layout, name: str) -> None:
        self._on_progress(name, "preparing")
        await self._supervisor.start(await layout.server(name))

    async def _prepare(self, layout: Layout) -> None:
        preparation = Preparation(
            self._folder,
            owner=layout.owner_environment,
            operator=layout.environment("operator"),
        )
        errands = []
        if self._options.wants("kafka"):
            errands.append(preparation.make_topics())
        if any(map(self._options.wants, MODULES)):
            errands.append(self._make_tables_and_tenant(preparation))
        await side_by_side(*errands)

    async def _make_tables_and_tenant(self, preparation: Preparation) -> None:
        self._on_progress("migrations", "starting")
        await preparation.make_tables()
        await preparation.make_logins()
        await preparation.make_tenant()
        self._on_progress("migrations", "ready")

    async def _start_services(self, layout: Layout) -> None:
        """Start ours in order, the door first; they become ready side by side."""
        wanted = filter(self._options.wants, MODULES)
        await side_by_side(
            *(self._supervisor.start(layout.service(name)) for name in wanted)
        )

    def _tell(self) -> Ready:
        ready = self._layout.ready(self._supervisor.pids)
        write_ready(ready, self._ready_files)
        return ready
