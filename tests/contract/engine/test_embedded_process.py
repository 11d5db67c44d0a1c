"""The embedded engine as a process: what its supervisor relies on, not vLLM's contract."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.contract.engine.process import EngineProcess

CANARY = "zanzibar-canary"


def chat(text: str) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 50}


def test_it_ends_with_status_0_on_sigterm_and_logged_no_text() -> None:
    with EngineProcess() as process, httpx.Client(base_url=process.url) as client:
        text = f"The {CANARY} barrier. " * 300
        assert client.post("/v1/chat/completions", json=chat(text)).is_success
        too_long = chat(text * 50)
        assert client.post("/v1/chat/completions", json=too_long).status_code == 400
        assert client.post("/tokenize", json={"prompt": [CANARY]}).status_code == 400
        assert process.stop() == 0
        log = process.log.read()
    assert log
    assert all(json.loads(line) for line in log.splitlines())
    assert CANARY not in log


def test_the_command_line_names_model_and_context() -> None:
    options = ("--model-name", "harbour-1", "--max-model-len", "300")
    with EngineProcess(*options) as process:
        card = httpx.get(f"{process.url}/v1/models").json()["data"][0]
    assert (card["id"], card["max_model_len"]) == ("harbour-1", 300)


def test_a_port_in_use_ends_it_with_a_reason() -> None:
    with EngineProcess() as process:
        port = process.url.rpartition(":")[2]
        second = run_engine("--profile", "embedded", "--port", port)
    assert second.returncode == 1
    assert "Address already in use" in second.stderr


@pytest.mark.parametrize("option", [("--port", "70000"), ("--max-num-seqs", "0")])
def test_an_option_out_of_range_is_refused(option: tuple[str, str]) -> None:
    refused = run_engine("--profile", "embedded", *option)
    assert refused.returncode == 2
    assert option[0] in refused.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the memory")
def test_it_is_small_also_after_work() -> None:
    with EngineProcess() as process, httpx.Client(base_url=process.url) as client:
        for at in range(20):
            text = (
                f"In year {at} the barrier was raised by {at * 7} centimetres. " * 400
            )
            client.post("/v1/chat/completions", json=chat(text))
        rollup = Path(f"/proc/{process.process.pid}/smaps_rollup").read_text("ascii")
        pss = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
    assert int(pss.split()[1]) < 110 * 1024


def run_engine(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "realtime.engine", *options],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
