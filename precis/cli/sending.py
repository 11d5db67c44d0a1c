"""Many texts sent and awaited: what happens to each, and how the command ends.

All texts are handed over before any is waited for, so that the service works on them
side by side. What is wrong with one text is told and the others go on; a service that
is away, full, or does not know the key ends the command.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from precis.cli.documents import Document, Source
from precis.cli.exits import CommandRefused, Exit, judge
from precis.client.blocking import Client
from precis.client.errors import (
    AnswerGarbled,
    Busy,
    NotReachable,
    PrecisError,
    Unauthorized,
)
from precis.client.requests import SubmitOptions
from precis.client.summary import Summary
from precis.screen.progress import bar
from precis.screen.showing import say

_ENDS_ALL = (NotReachable, AnswerGarbled, Unauthorized, Busy)


class Output(Protocol):
    """How results are told; the command chooses it."""

    def accepted(self, name: str, summary: Summary) -> None: ...
    def finished(self, sent: "Sent") -> None: ...
    def failed(self, name: str, error: PrecisError | CommandRefused) -> None: ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A text that the service has accepted."""

    name: str
    summary: Summary
    source: str | None = field(repr=False)
    """The text, where citations will be shown from it."""


class Sending:
    def __init__(
        self,
        client: Client,
        options: SubmitOptions,
        *,
        output: Output,
        keeps_texts: bool,
    ) -> None:
        self._client = client
        self._options = options
        self._output = output
        self._keeps_texts = keeps_texts
        self._status = Exit.OK
        self._waiting: list[Sent] = []

    def run(self, sources: Sequence[Source], *, waits: bool) -> Exit:
        """Send all, then wait for each in turn; the first failure is the status."""
        try:
            for source in sources:
                step = partial(self._submit, source, waits=waits)
                self._attempt(source.name, step)
            while waits and self._waiting:
                sent = self._waiting[0]
                self._attempt(sent.name, partial(self._finish, sent))
                del self._waiting[0]
        except (KeyboardInterrupt, *_ENDS_ALL):
            self._tell_what_goes_on()
            raise
        return self._status

    def _attempt(self, name: str, step: Callable[[], None]) -> None:
        try:
            step()
        except _ENDS_ALL:
            raise
        except (PrecisError, CommandRefused) as error:
            self._output.failed(name, error)
            if self._status is Exit.OK:
                self._status = _status_of(error)

    def _submit(self, source: Source, *, waits: bool) -> None:
        document = source.read()
        # Who asks for the realtime tier asks for its answer, however short the wait.
        is_queued = not waits and self._options.get("tier") != "realtime"
        summary = self._client.submit(
            document.text, respond_async=is_queued, **self._options
        )
        # Noted before it is told: a Ctrl-C in between must not forget it.
        self._waiting.append(self._sent(document, summary))
        self._output.accepted(document.name, summary)

    def _finish(self, sent: Sent) -> None:
        summary = sent.summary
        if summary.text is None:
            with bar(sent.name) as on_progress:
                summary = self._client.wait(summary.id, on_progress=on_progress)
        self._output.finished(Sent(sent.name, summary, sent.source))

    def _sent(self, document: Document, summary: Summary) -> Sent:
        return Sent(
            document.name, summary, document.text if self._keeps_texts else None
        )

    def _tell_what_goes_on(self) -> None:
        for sent in self._waiting:
            if sent.summary.text is None:
                say(f"{sent.name} goes on as {sent.summary.id}.")
        if self._waiting:
            say("`precis result ID --wait` waits for one, `precis cancel ID` ends it.")


def _status_of(error: PrecisError | CommandRefused) -> Exit:
    if isinstance(error, CommandRefused):
        return error.status
    return judge(error).status
