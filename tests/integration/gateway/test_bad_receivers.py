"""Webhook URLs and mail addresses that nobody may be sent to (lines 86 to 101).

With no network allowed, as in production. What a name resolves to is judged at each
attempt, so names of every kind are accepted here (lines 94 to 96).
"""

from typing import Any, get_args

import httpx
import pytest

from gateway.problems.catalogue import PROBLEMS
from notifier.mail_addresses import Code as AddressCode
from notifier.webhook_urls import Code as UrlCode
from tests.integration.gateway.conftest import House
from tests.integration.gateway.refusals import (
    Case,
    asked,
    check_problem,
    check_refused,
    table,
)

REGISTRATION = "/v1/webhook-endpoints"
GOOD_URL = "https://hooks.example.com/precis?team=news"


def url(line: int, code: str, *refused: str) -> tuple[Case, ...]:
    """Each URL, registered and given with a job."""
    return tuple(
        case
        for number, shown in enumerate(refused)
        for case in (
            Case(
                line=line,
                name=f"{number} registered",
                path=REGISTRATION,
                json={"url": shown},
                status=422,
                code=code,
                pointer="/url",
            ),
            Case(
                line=line,
                name=f"{number} given",
                json=asked(delivery={"webhook": shown}),
                status=422,
                code=code,
                pointer="/delivery/webhook",
            ),
        )
    )


def email(line: int, code: str, *refused: str) -> tuple[Case, ...]:
    return tuple(
        Case(
            line=line,
            name=f"{code} {number}",
            json=asked(delivery={"email": ["a@example.com", shown]}),
            status=422,
            code=code,
            pointer="/delivery/email/1",
        )
        for number, shown in enumerate(refused)
    )


CASES = (
    *url(86, "https_required", "http://hooks.example.com/", "HTTP://1.1.1.1/"),
    *url(
        87,
        "scheme_not_allowed",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "gopher://hooks.example.com:70/_",
        "javascript:alert(1)",
        "data:text/plain,hello",
        "ws://hooks.example.com/",
    ),
    *url(
        88,
        "url_invalid",
        "https://",
        "https:///x",
        "https:hooks.example.com",
        "//hooks.example.com/",
        "hooks.example.com",
        "",
        " https://hooks.example.com/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\t",
        "https://hooks.example.com/\r\nHost: evil",
        "https:\\\\hooks.example.com\\",
        "https://hooks.example.com\\@evil.example/",
        "https://hooks.example.com/%zz",
        "https://hooks.example.com/#fragment",
    ),
    *url(
        89,
        "userinfo_not_allowed",
        "https://user:pass@hooks.example.com/",
        "https://user@hooks.example.com/",
        "https://@hooks.example.com/",
    ),
    *url(
        90,
        "port_not_allowed",
        *(f"https://hooks.example.com:{p}/" for p in (22, 25, 80, 6379, 0, 65536)),
        "https://hooks.example.com:99999999999999/",
    ),
    *url(
        91,
        "address_blocked",
        *(
            f"https://{address}/"
            for address in (
                "127.0.0.1",
                "10.1.2.3",
                "172.16.0.1",
                "192.168.0.1",
                "169.254.169.254",
                "100.64.0.1",
                "0.0.0.0",  # noqa: S104 - an address to refuse
                "168.63.129.16",
                "192.0.0.192",
                "224.0.0.1",
                "255.255.255.255",
                "[::1]",
                "[::]",
                "[fd00:ec2::254]",
                "[::ffff:169.254.169.254]",
                "[64:ff9b::a9fe:a9fe]",
                "[2002:a9fe:a9fe::1]",
                "[fe80::1%25eth0]",
                "[fe80::1]",
                "[::7f00:1]",
                "[ff02::1]",
            )
        ),
    ),
    *url(92, "host_not_allowed", "https://2130706433/", "https://0x7f000001/"),
    *url(92, "host_not_allowed", "https://0177.0.0.1/", "https://127.1/"),
    *url(
        92,
        "host_not_allowed",
        "https://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://0x7f.1/",
    ),
    *url(
        93,
        "host_not_allowed",
        "https://localhost/",
        "https://LOCALHOST:8443/",
        "https://api.localhost/",
        "https://metadata.google.internal/",
        "https://db.svc.cluster.local/",
        "https://kubernetes.default/",
        "https://kubernetes.default.svc/",
        "https://localhost./",
        "https://intranet/",
        "https://printer.local/",
    ),
    *url(
        97,
        "host_not_allowed",
        f"https://xn--{'a' * 60}.example/",
        f"https://{'a' * 64}.example/",
        "https://xn--.example/",
        "https://a_b-.example/",
    ),
    *url(98, "url_too_long", f"{GOOD_URL}{'x' * (2049 - len(GOOD_URL))}"),
    *email(
        100,
        "email_invalid",
        "a@b\r\nBcc: x@y",
        "a@example.com\r\nBcc: x@y.example",
        "a@example.com\n",
        "a%0aBcc:x@example.com",
        '"a\nb"@example.com',
        '"quoted"@example.com',
        "a@example.com,b@example.com",
        "a@example.com b@example.com",
        "a@example.com;b@example.com",
        "a(comment)@example.com",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a@localhost",
        "a@b@example.com",
        "@example.com",
        "a@",
        "a",
        "",
        ".a@example.com",
        "a..b@example.com",
        "\u0430@example.com",
    ),
    *email(
        100,
        "email_too_long",
        f"{'a' * 65}@example.com",
        f"a@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.{'f' * 20}.example",
    ),
    *email(
        101,
        "email_invalid",
        "Bob <bob@example.com>",
        '"Bob\r\nBcc: x@y" <bob@example.com>',
        "=?utf-8?q?=0aBcc:x?= <bob@example.com>",
        "=?utf-8?q?=0a?=@example.com ",
    ),
    Case(
        line=100,
        name="eleven addresses",
        json=asked(delivery={"email": [f"a{n}@example.com" for n in range(11)]}),
        status=422,
        code="invalid_value",
        pointer="/delivery/email",
    ),
    Case(
        line=100,
        name="not a list",
        json=asked(delivery={"email": "a@example.com"}),
        status=422,
        code="wrong_type",
        pointer="/delivery/email",
    ),
)


@table(*(Case(**{**vars(c), "name": f"{c.code} {n}"}) for n, c in enumerate(CASES)))
async def test_it_is_refused(
    case: Case, house: House, client: httpx.AsyncClient
) -> None:
    await check_refused(case, house, client)


@pytest.mark.parametrize(
    ("shown", "stored"),
    [
        (GOOD_URL, GOOD_URL),
        ("https://HOOKS.example.com", "https://hooks.example.com"),
        ("https://hooks.example.com:443/a", "https://hooks.example.com/a"),
        ("https://hooks.example.com:8443/a", "https://hooks.example.com:8443/a"),
        ("https://no-such-name.example.com/", "https://no-such-name.example.com/"),
        ("https://b\u00fccher.example/", "https://xn--bcher-kva.example/"),
        ("https://1.1.1.1/", "https://1.1.1.1/"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
    ],
    ids=["94", "normalised", "port", "8443", "95-unresolved", "97-idn", "v4", "v6"],
)
async def test_a_public_url_is_accepted(
    shown: str, stored: str, client: httpx.AsyncClient
) -> None:
    made = await client.post(REGISTRATION, json={"url": shown})
    assert made.status_code == 201, made.text
    assert made.json()["url"] == stored
    given = await client.post(
        "/v1/summaries", json=asked(tier="batch", delivery={"webhook": shown})
    )
    assert given.status_code == 202, given.text
    # Room for the others: a tenant may have a hundred.
    path = f"{REGISTRATION}/{made.json()['id']}"
    assert (await client.delete(path)).status_code == 204


@pytest.mark.parametrize(
    "address",
    ["a@example.com", "a.b+c@Example.COM", "a@b\u00fccher.example"],
    ids=["plain", "tagged", "100-idn"],
)
async def test_a_plain_mail_address_is_accepted(
    address: str, client: httpx.AsyncClient
) -> None:
    response = await client.post(
        "/v1/summaries", json=asked(tier="batch", delivery={"email": [address]})
    )
    assert response.status_code == 202, response.text


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "missing_field", "/url"),
        ({"url": None}, "wrong_type", "/url"),
        ({"url": ["https://a.example"]}, "wrong_type", "/url"),
        ({"url": GOOD_URL, "secret": "whsec_mine"}, "unknown_field", "/secret"),
        ({"url": GOOD_URL, "state": "disabled"}, "unknown_field", "/state"),
        ({"url": GOOD_URL, "description": 1}, "wrong_type", "/description"),
        ({"url": GOOD_URL, "description": "d" * 257}, "invalid_value", "/description"),
        ({"url": GOOD_URL, "description": "\0"}, "invalid_character", "/description"),
    ],
)
async def test_a_registration_takes_a_url_and_a_description_only(
    body: dict[str, Any],
    code: str,
    pointer: str,
    house: House,
    client: httpx.AsyncClient,
) -> None:
    before = house.row_counts()
    response = await client.post(REGISTRATION, json=body)
    check_problem(response, status=422, code=code, pointer=pointer)
    assert house.row_counts() == before


@pytest.mark.parametrize(
    "endpoint_id", ["we_" + "0" * 32, "sum_" + "0" * 32, "", "we_'", None, 7]
)
async def test_an_endpoint_that_is_not_mine_cannot_be_named(
    endpoint_id: Any, house: House, client: httpx.AsyncClient
) -> None:
    before = house.row_counts()
    response = await client.post(
        "/v1/summaries",
        json=asked(delivery={"webhook": {"endpoint_id": endpoint_id}}),
    )
    code = "endpoint_unknown" if isinstance(endpoint_id, str) else "wrong_type"
    check_problem(
        response, status=422, code=code, pointer="/delivery/webhook/endpoint_id"
    )
    assert house.row_counts() == before


def test_every_code_of_the_rules_has_a_problem() -> None:
    assert {*get_args(UrlCode), *get_args(AddressCode)} <= PROBLEMS.keys()
