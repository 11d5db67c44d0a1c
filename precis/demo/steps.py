"""What the demo shows, in order; each step asks as a customer would and checks."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from time import monotonic

from deploy.local.memory import measure_pss
from deploy.local.ready import Ready
from precis.client.asynchronous import AsyncClient
from precis.client.summary import Summary
from precis.demo.checking import DemoFailed, check, headline
from precis.demo.evidence import gather_evidence
from precis.demo.receiver import WebhookReceiver, plain_text, wait_for_mail
from precis.demo.texts import SHORT_TEXT, long_text
from precis.screen.progress import bar
from precis.screen.showing import show

_CITATIONS_SHOWN = 3
_MOST_MEMORY = 1_200_000_000
_LINE = 110


async def short_text(client: AsyncClient) -> None:
    headline(1, "A short text: the summary is in the same HTTP answer")
    began = monotonic()
    summary = await client.submit(SHORT_TEXT, tier="auto", length="short")
    milliseconds = (monotonic() - began) * 1000
    routing = summary.routing
    show(f"  {len(SHORT_TEXT)} characters, {routing.tokens} tokens")
    check(f"answered at once, in {milliseconds:.0f} ms", holds=bool(summary.text))
    check(
        f"by the realtime tier, because: {routing.reason} (up to {routing.threshold})",
        holds=routing.tier == "realtime",
    )
    show()
    show(f"  {summary.text}")


async def accept_long_text(client: AsyncClient, *, webhook: str, mail: str) -> Summary:
    text = long_text()
    headline(2, "A long text: the Python language reference")
    began = monotonic()
    summary = await client.submit(
        text, citations=True, webhook=webhook, email=mail, length="medium"
    )
    milliseconds = (monotonic() - began) * 1000
    show(f"  {len(text):,} characters, {summary.routing.tokens:,} tokens")
    check(
        f"accepted in {milliseconds:.0f} ms as {summary.id}",
        holds=not summary.is_final and summary.tier == "batch",
    )
    return summary


async def finish_long_text(client: AsyncClient, accepted: Summary) -> Summary:
    """Follow it to the end, with a progress bar where somebody sees it."""
    text, phases = long_text(), set[str]()
    with bar("reference") as update:

        def follow(state: Summary) -> None:
            phases.add(state.progress.phase)
            if update:
                update(state)

        done = await client.wait(
            accepted.id, on_progress=follow, limit=timedelta(minutes=2)
        )
    check(
        f"{done.progress.total} chunks done, coverage {done.coverage}",
        holds=done.coverage == 1.0 and done.progress.done == done.progress.total,
    )
    summary = done.text or ""
    show()
    show(f"  {summary}")
    show()
    show("  Some sentences and where they come from:")
    for citation in done.citations[:_CITATIONS_SHOWN]:
        sentence = summary[citation.sentence_start : citation.sentence_end]
        source = text[citation.source_start : citation.source_end]
        show(f"  - {_one_line(sentence)}")
        show(f"    at {citation.source_start:,}: {_one_line(source)}")
    check(f"{len(done.citations)} sentences are cited", holds=bool(done.citations))
    return done


async def messages(receiver: WebhookReceiver, ready: Ready, summary_id: str) -> None:
    headline(3, "The messages that told of it")
    message = await receiver.wait_for(summary_id)
    if message is None:
        raise DemoFailed("no webhook arrived")
    event = message.verify(ready.webhook_secret)
    check(
        f"webhook {event['type']}, verified by the standardwebhooks library",
        holds=event["data"]["id"] == summary_id and event["data"]["summary"] is None,
    )
    show(f"    webhook-id {message.headers['webhook-id']}, {len(message.body)} bytes")
    mail = await wait_for_mail(Path(ready.mail_dir), summary_id)
    if mail is None:
        raise DemoFailed("no mail arrived")
    check(f"mail “{mail['Subject']}” to {mail['To']}", holds=True)
    for line in plain_text(mail).strip().splitlines():
        show(f"    | {line}")


async def same_key_twice(client: AsyncClient) -> None:
    headline(4, "The same request twice with one Idempotency-Key")
    key = "demo-key-1"
    first, second = [
        await client.submit(SHORT_TEXT, tier="batch", idempotency_key=key)
        for _ in range(2)
    ]
    check(f"one job, {first.id}", holds=first.id == second.id)
    listed = [each.id async for each in client.list()]
    check("and it stands in the list once", holds=listed.count(first.id) == 1)
    await client.wait(first.id, limit=timedelta(minutes=1))


async def behind_the_door(ready: Ready, done: Summary, *, data_dir: Path) -> None:
    headline(5, "Behind the door: no part is decoration")
    task_id = str((done.provenance or {}).get("task_id"))
    found = await gather_evidence(
        ready, done.id, task_id=task_id, logs=data_dir / "logs"
    )
    check(
        f"Kafka: the consumer group has committed {found.committed_hints} hints",
        holds=found.committed_hints > 0,
    )
    check(
        f"Celery: task {task_id} ran the job, says the worker's log",
        holds=found.celery_log_lines > 0,
    )
    chunks, merges = found.chunks, found.merges
    check(
        f"Postgres: {len(chunks)} chunks and {len(merges)} merges as rows, all done",
        holds=bool(chunks and merges)
        and all(row.is_done for row in (*chunks, *merges)),
    )
    ends = [0, *(row.end for row in chunks)]
    check(
        "the chunks follow one another from the first character to the last",
        holds=[row.start for row in chunks] == ends[:-1]
        and ends[-1] == len(long_text()),
    )


def memory(pids: Mapping[str, int]) -> None:
    headline(6, "What it took")
    sizes = measure_pss(pids)
    for name, size in sizes.items():
        show(f"    {name:<16} {size / 1e6:7.1f} MB")
    total = sum(sizes.values())
    check(
        f"all of it together: {total / 1e6:.0f} MB of memory (PSS)",
        holds=0 < total < _MOST_MEMORY or not total,
    )


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"
