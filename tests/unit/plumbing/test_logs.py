import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from plumbing.logs import configure_logs
from plumbing.settings import ServiceSettings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def configured(**changes: str) -> structlog.typing.FilteringBoundLogger:
    settings = ServiceSettings.model_validate({"log_format": "json", **changes})
    configure_logs(settings, service="test")
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_our_events_are_one_json_object_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = configured()
    structlog.contextvars.bind_contextvars(job_id="j1")
    log.info("job.claimed", fence=3)
    [line] = lines(capsys)
    assert line["event"] == "job.claimed"
    assert (line["job_id"], line["fence"], line["level"]) == ("j1", 3, "info")
    assert line["service"] == "test"
    assert str(line["timestamp"]).endswith("Z")


def test_libraries_write_to_the_same_stream_in_the_same_shape(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configured()
    logging.getLogger("some.library").warning("lost %s", "connection")
    [line] = lines(capsys)
    assert (line["event"], line["logger"]) == ("lost connection", "some.library")


def test_httpx_does_not_log_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    configured(log_level="DEBUG")
    logging.getLogger("httpx").info("HTTP Request: POST https://hook?key=1")
    assert lines(capsys) == []


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    log = configured(log_level="WARNING")
    log.info("quiet")
    logging.getLogger("other").info("quiet")
    log.warning("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_nothing_steers_a_terminal(
    capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    log = configured(log_format=log_format)
    nasty = "a\x1b[2Jb\x1b]0;title\x07c\x9bd\x00e\r\nf\u202eg\x7f"
    log.info(
        nasty, value=nasty, deep={nasty: [nasty]}, raw=nasty.encode("latin1", "replace")
    )
    logging.getLogger("other").warning(nasty)
    written = capsys.readouterr().err
    assert len(written.splitlines()) == 2
    assert not {"\x1b", "\x07", "\x9b", "\x00", "\r", "\u202e", "\x7f"} & set(written)
    assert "\\u001b" not in written
    assert "\\u202e" not in written


def test_a_trace_keeps_its_lines_and_loses_rows_and_escapes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = configured()

    def fail() -> None:
        detail = "no\x1b[31m row\nDETAIL:  Key (mail)=(a@b) exists.\nx"
        raise ValueError(detail)

    try:
        fail()
    except ValueError:
        log.exception("loop.failed")
    [line] = lines(capsys)
    trace = str(line["exception"])
    assert trace.startswith("Traceback")
    assert trace.endswith("ValueError: no row\nx")
    assert "a@b" not in trace


def test_configuring_twice_does_not_write_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configured()
    configured().info("once")
    assert len(lines(capsys)) == 1


def test_a_full_disk_loses_the_line_and_no_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class FullDisk:
        encoding = "utf-8"

        def isatty(self) -> bool:
            return False

        def write(self, _line: str) -> None:
            raise OSError(28, "no space")

        def flush(self) -> None:
            raise OSError(28, "no space")

    monkeypatch.setattr("sys.stderr", FullDisk())
    configured().info("job.claimed", fence=3)
