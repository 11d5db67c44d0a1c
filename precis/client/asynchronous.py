"""The client for programs on asyncio.

It says what can be asked; what that takes is in `flows`, how it travels in
`connection`. `blocking` is its twin, method by method; a test keeps them alike.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Self, Unpack

from precis.client import flows
from precis.client.connection import DEFAULT_TIMEOUT, Access, AsyncConnection
from precis.client.endpoints import AsyncWebhookEndpoints
from precis.client.erasure import Erasure
from precis.client.flows import OnProgress
from precis.client.page import ListOptions
from precis.client.requests import SubmitOptions
from precis.client.retrying import Patience
from precis.client.summary import Partial, Result, Summary


class AsyncClient:
    """Speaks to one Precis service as one tenant.

    >>> async with AsyncClient("http://127.0.0.1:8000", "sk_live_...") as client:
    ...     print((await client.summarize(text)).text)

    Tasks of one event loop may share a client. Lost connections and answers that say "later" are
    met by repeating the request under the same idempotency key.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout: timedelta = DEFAULT_TIMEOUT,
        patience: Patience | None = None,
    ) -> None:
        self._patience = patience or Patience()
        access = Access(
            url=url, api_key=api_key, timeout=timeout, patience=self._patience
        )
        self._connection = AsyncConnection(access)
        self.webhook_endpoints = AsyncWebhookEndpoints(self._connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._connection.close()

    async def summarize(
        self,
        text: str,
        *,
        wait: bool | timedelta = True,
        on_progress: OnProgress | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Summary:
        """Have a text summarized and wait for the words.

        `wait=False` comes back after the first answer, a span at the latest after
        it: then the summary may not be finished and `text` is None. A job that ends
        otherwise than well raises `JobFailed`.
        """
        return await self._connection.run(
            flows.summarize(
                text,
                options,
                wait=wait,
                on_progress=on_progress,
                patience=self._patience,
            )
        )

    async def submit(
        self,
        text: str,
        *,
        wait: timedelta | None = None,
        respond_async: bool = False,
        **options: Unpack[SubmitOptions],
    ) -> Summary:
        """Hand a text over in one request; a short one may come back finished.

        `wait` is how long the service may take to finish it first (up to 60 s);
        `respond_async` has it queued at once, however short it is.
        """
        return await self._connection.run(
            flows.submit(
                text,
                options,
                wait=wait,
                is_async=respond_async,
                patience=self._patience,
            )
        )

    async def get(self, summary_id: str) -> Summary:
        """Where a summary stands; its words are read with `result`."""
        return await self._connection.run(
            flows.get(summary_id, patience=self._patience)
        )

    async def wait(
        self,
        summary_id: str,
        *,
        limit: timedelta | None = None,
        on_progress: OnProgress | None = None,
    ) -> Summary:
        """Wait for the ending and the words, as `summarize` does, at most so long."""
        return await self._connection.run(
            flows.wait(
                summary_id,
                limit=limit,
                on_progress=on_progress,
                patience=self._patience,
            )
        )

    async def result(self, summary_id: str) -> Result:
        """The words; `NotFinished`, `NoResult` or `Gone` where there are none."""
        return await self._connection.run(
            flows.result(summary_id, patience=self._patience)
        )

    async def partial(self, summary_id: str) -> Partial:
        """The finished sections, also of a job that failed."""
        return await self._connection.run(
            flows.partial(summary_id, patience=self._patience)
        )

    async def cancel(self, summary_id: str) -> Summary:
        """Ask for the end of a job; it may be repeated."""
        return await self._connection.run(
            flows.cancel(summary_id, patience=self._patience)
        )

    async def delete(self, summary_id: str) -> Erasure:
        """Erase text, summary and all else that is held of it; a live job is cancelled.

        It cannot be undone. The receipt says what is gone when; it may be repeated.
        """
        return await self._connection.run(
            flows.delete(summary_id, patience=self._patience)
        )

    async def erasure(self, erasure_id: str) -> Erasure:
        """The receipt of an erasure, again."""
        return await self._connection.run(
            flows.erasure(erasure_id, patience=self._patience)
        )

    def list(self, **options: Unpack[ListOptions]) -> AsyncIterator[Summary]:
        """Summaries, the newest first; pages are fetched as they are needed."""
        return self._connection.pages(
            lambda cursor: flows.summary_page(
                options, cursor=cursor, patience=self._patience
            )
        )
