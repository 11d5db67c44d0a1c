"""The rules of a webhook's address, by the lines of the list of bad inputs."""

from ipaddress import IPv4Network, ip_address

import pytest

from notifier.public_addresses import is_public
from notifier.webhook_urls import UrlRefused, check_webhook_url

HERE = (IPv4Network("127.0.0.1/32"),)

REFUSED = [
    ("86", "http://example.com/hook", "https_required"),
    ("87", "ftp://example.com/", "scheme_not_allowed"),
    ("87", "file:///etc/passwd", "scheme_not_allowed"),
    ("87", "gopher://example.com/", "scheme_not_allowed"),
    ("87", "javascript:alert(1)", "scheme_not_allowed"),
    ("87", "data:text/plain,x", "scheme_not_allowed"),
    ("88", "", "url_invalid"),
    ("88", "example.com/hook", "url_invalid"),
    ("88", "https:///x", "url_invalid"),
    ("88", "https:example.com", "url_invalid"),
    ("88", "https://exam ple.com/", "url_invalid"),
    ("88", " https://example.com/", "url_invalid"),
    ("88", "https://example.com/a\tb", "url_invalid"),
    ("88", "https://example.com/\n", "url_invalid"),
    ("88", "https://example.com\\@evil.com/", "url_invalid"),
    ("88", "https://example.com/\u202ecod", "url_invalid"),
    ("88", "https://example.com/%zz", "url_invalid"),
    ("88", "https://example.com/#fragment", "url_invalid"),
    ("89", "https://user:pass@example.com/", "userinfo_not_allowed"),
    ("89", "https://example.com@evil.com/", "userinfo_not_allowed"),
    ("90", "https://example.com:22/", "port_not_allowed"),
    ("90", "https://example.com:25/", "port_not_allowed"),
    ("90", "https://example.com:6379/", "port_not_allowed"),
    ("90", "https://example.com:0/", "port_not_allowed"),
    ("90", "https://example.com:65536/", "port_not_allowed"),
    ("90", "https://example.com:99999999999999999999/", "port_not_allowed"),
    ("90", "https://example.com:4x/", "url_invalid"),
    ("91", "https://127.0.0.1/", "address_blocked"),
    ("91", "https://10.1.2.3/", "address_blocked"),
    ("91", "http://169.254.169.254/latest/meta-data", "address_blocked"),
    ("91", "https://100.64.0.1/", "address_blocked"),
    ("91", "https://0.0.0.0/", "address_blocked"),
    ("91", "https://168.63.129.16/", "address_blocked"),
    ("91", "https://192.0.0.192/", "address_blocked"),
    ("91", "https://224.0.0.1/", "address_blocked"),
    ("91", "https://[::1]/", "address_blocked"),
    ("91", "https://[fd00:ec2::254]/", "address_blocked"),
    ("91", "https://[::ffff:169.254.169.254]/", "address_blocked"),
    ("91", "https://[64:ff9b::a9fe:a9fe]/", "address_blocked"),
    ("91", "https://[2002:a9fe:a9fe::1]/", "address_blocked"),
    ("91", "https://[fe80::1%25eth0]/", "address_blocked"),
    ("92", "https://2130706433/", "host_not_allowed"),
    ("92", "https://0x7f000001/", "host_not_allowed"),
    ("92", "https://0x7f.1/", "host_not_allowed"),
    ("92", "https://0177.0.0.1/", "host_not_allowed"),
    ("92", "https://127.1/", "host_not_allowed"),
    ("92", "https://①②⑦.⓪.⓪.①/", "host_not_allowed"),
    ("92", "https://⑧.⑧.⑧.⑧/", "host_not_allowed"),
    ("92", "https://%31%32%37.0.0.1/", "url_invalid"),
    ("93", "https://localhost/", "host_not_allowed"),
    ("93", "https://LOCALHOST/", "host_not_allowed"),
    ("93", "https://a.localhost/", "host_not_allowed"),
    ("93", "https://metadata.google.internal/", "host_not_allowed"),
    ("93", "https://api.default.svc.cluster.local/", "host_not_allowed"),
    ("93", "https://kubernetes.default/", "host_not_allowed"),
    ("93", "https://kubernetes.default.svc/", "host_not_allowed"),
    ("93", "https://intranet/", "host_not_allowed"),
    ("93", "https://example.com./", "host_not_allowed"),
    ("97", "https://" + "a" * 64 + ".com/", "host_not_allowed"),
    ("97", "https://xn--" + "a" * 60 + ".com/", "host_not_allowed"),
    ("98", "https://example.com/" + "a" * 2029, "url_too_long"),
]


@pytest.mark.parametrize(("line", "url", "code"), REFUSED)
def test_a_bad_address_is_refused_with_its_reason(
    line: str, url: str, code: str
) -> None:
    with pytest.raises(UrlRefused) as refusal:
        check_webhook_url(url, allow_networks=())
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("url", "normalised"),
    [
        ("https://example.com/hook?a=1", "https://example.com/hook?a=1"),
        ("HTTPS://Example.COM:443", "https://example.com"),
        ("https://example.com:8443/h", "https://example.com:8443/h"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://93.184.216.34/", "https://93.184.216.34/"),
        ("https://[2606:4700:0::1111]/", "https://[2606:4700::1111]/"),
        ("https://example.com/" + "a" * 2028, "https://example.com/" + "a" * 2028),
    ],
)
def test_a_good_address_is_normalised(url: str, normalised: str) -> None:
    checked = check_webhook_url(url, allow_networks=())
    assert checked.url == normalised
    assert not checked.needs_allowed_network


def test_an_allowed_network_exempts_its_own_addresses_only() -> None:
    local = check_webhook_url("http://127.0.0.1:9/h", allow_networks=HERE)
    assert local.url == "http://127.0.0.1:9/h"
    assert local.needs_allowed_network
    for url in ("http://127.0.0.2/", "http://example.com/", "https://example.com:22/"):
        with pytest.raises(UrlRefused):
            check_webhook_url(url, allow_networks=HERE)


def test_a_local_name_waits_for_its_addresses_where_a_network_is_allowed() -> None:
    named = check_webhook_url("http://localhost:9/h", allow_networks=HERE)
    assert named.needs_allowed_network


def test_urls_to_one_host_share_a_lane() -> None:
    one = check_webhook_url("https://example.com/a", allow_networks=())
    other = check_webhook_url("https://EXAMPLE.com:8443/b", allow_networks=())
    assert one.lane == other.lane == "host:example.com"


# Python's is_global is true for nearly all of these.
NOT_PUBLIC = """
    168.63.129.16 192.0.0.192 224.0.0.1 192.88.99.1 255.255.255.255 198.18.0.1
    64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1 2001:0:1::1 ::7f00:1 ::ffff:8.8.8.8 ff02::1
    fec0::1 fe80::1 fd00:ec2::254 2001:db8::1 3fff::1 5f00::1 100::1
"""


@pytest.mark.parametrize("address", NOT_PUBLIC.split())
def test_an_address_of_no_public_network_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "168.63.129.17", "2001:4860:4860::8888"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))
