"""One stream of structured lines on stderr, for our events and those of libraries.

Values that reach a log may have been chosen by a stranger, so terminal escapes and
control characters are taken out before a line is written. What may be logged at all
(ids, sizes, codes, timings; never a text, a key or an address) is the callers' care.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO, cast

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, Processor, WrappedLogger

from plumbing.settings import ServiceSettings

_ESCAPES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor moves
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles, links, device strings
    r"|\x1b[ -/]*[0-~]"
)
_CONTROLS: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_CONTROLS_BUT_LINES: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Postgres repeats the offending row or key there: addresses, metadata.
_ROW_DETAILS: Final = re.compile(r"^\s*(DETAIL|CONTEXT|QUERY):.*\n?", re.MULTILINE)

# They log an address or a line per request at INFO.
_CHATTY_LIBRARIES: Final = ("httpx", "httpcore", "kafka", "aiosmtplib", "asyncio")


def configure_logs(settings: ServiceSettings, *, service: str) -> None:
    """Send structlog's and the standard library's lines to stderr, in one shape.

    Ours do not pass the standard library, which would cost each line several times as
    much. May be called again; the last call wins for loggers not used before.
    """
    rendering = _rendering(service, as_json=_wants_json(settings))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *rendering,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in _CHATTY_LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=rendering,
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Lossy(sys.stderr))),
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        cache_logger_on_first_use=True,
    )


class _Lossy:
    """Where a line that cannot be written is lost: a full disk ends nobody's work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        try:
            self._stream.write(line)
        except OSError:
            return

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            return


def strip_controls(
    _logger: WrappedLogger, _method: str, event_dict: EventDict
) -> EventDict:
    """Take terminal escapes and control characters out of every value."""
    return {
        key: _clean_trace(value) if key == "exception" else _clean(value)
        for key, value in event_dict.items()
    }


def _wants_json(settings: ServiceSettings) -> bool:
    if settings.log_format == "auto":
        return not sys.stderr.isatty()
    return settings.log_format == "json"


def _rendering(service: str, *, as_json: bool) -> list[Processor]:
    def name_service(
        _logger: WrappedLogger, _method: str, event_dict: EventDict
    ) -> EventDict:
        event_dict["service"] = service
        return event_dict

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
        structlog.processors.format_exc_info,
        strip_controls,
        _renderer(as_json=as_json),
    ]


def _renderer(*, as_json: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer(serializer=_to_json)
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        exception_formatter=structlog.dev.plain_traceback,
    )


def _to_json(line: EventDict, **_: Any) -> str:
    return to_json(line, fallback=repr).decode()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        if value.isprintable():  # nearly all are, and this is quick to see
            return value
        return _CONTROLS.sub(" ", _ESCAPES.sub("", value))
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, Mapping):
        return {_clean(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    return _clean(str(value))


def _clean_trace(trace: Any) -> str:
    """Keep the line ends, which are what makes a trace readable."""
    kept = _ROW_DETAILS.sub("", _ESCAPES.sub("", str(trace)))
    return _CONTROLS_BUT_LINES.sub(" ", kept)
