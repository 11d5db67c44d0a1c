"""Start an engine: `python -m realtime.engine --profile embedded --port 8000`.

Reads the command line over the environment, builds the engine and serves it until
SIGTERM. What it serves is in `web`, what it can do in `embedded`.
"""

import argparse
import asyncio
import os
import sys

from plumbing.logs import configure_logs
from plumbing.process import run
from plumbing.settings import SettingsRefused, read_settings
from realtime.engine.settings import EmbeddedEngineSettings

_HIGHEST_PORT = 65535


def main(arguments: list[str] | None = None) -> int:
    try:
        settings = _settings(_read_arguments(arguments))
    except SettingsRefused as error:
        print(error, file=sys.stderr)  # noqa: T201 - logs are not configured yet
        return 2
    configure_logs(settings, service="engine")
    _keep_blas_to_one_thread()
    # Imported only now: numpy loads BLAS, which reads its thread count as it loads.
    from realtime.engine.server import serve  # noqa: PLC0415

    async def serve_until(stop: asyncio.Event) -> None:
        await serve(settings, stop=stop)

    return run(serve_until)


def _keep_blas_to_one_thread() -> None:
    """Tell BLAS, before numpy loads it, to start no threads of its own.

    The matrices are small, so threads would only cost memory and fight with those
    that rank. It is told through the C library's environment, the one place where it
    looks; nothing of ours reads it there.
    """
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.putenv(f"{library}_NUM_THREADS", "1")


def _settings(given: argparse.Namespace) -> EmbeddedEngineSettings:
    options = {
        f"engine_{name}": value
        for name, value in vars(given).items()
        if value is not None and name != "profile"
    }
    return read_settings(EmbeddedEngineSettings).model_copy(update=options)


def _read_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m realtime.engine",
        description="Start a model engine that speaks the OpenAI HTTP API.",
        epilog="Each option has an environment variable, PRECIS_ENGINE_NAME; "
        "the option wins.",
    )
    parser.add_argument("--profile", choices=["embedded"], required=True)
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=_port, help="0 takes any free one (8000)")
    parser.add_argument("--model-name", help="the name served (precis-extractive)")
    parser.add_argument(
        "--max-model-len", type=_positive, help="context in tokens (8192)"
    )
    parser.add_argument("--max-num-seqs", type=_positive, help="texts at once (2)")
    parser.add_argument(
        "--max-queued", type=_natural, help="requests that may wait (512)"
    )
    return parser.parse_args(arguments)


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _positive(text: str) -> int:
    number = _natural(text)
    if number == 0:
        raise ValueError
    return number


def _port(text: str) -> int:
    number = _natural(text)
    if number > _HIGHEST_PORT:
        raise ValueError
    return number


if __name__ == "__main__":
    sys.exit(main())
