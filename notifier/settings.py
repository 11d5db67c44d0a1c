"""What the notifier is told by the environment; `docs/settings.md` explains it."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from notifier.smtp import Relay, Security
from plumbing.settings import (
    DatabaseSettings,
    MasterKeySettings,
    Networks,
    Port,
    Span,
)


def _check_sender(address: str) -> str:
    local, at, domain = address.partition("@")
    if not (local and at and domain) or any(c in ' \r\n<>"@,' for c in local + domain):
        raise ValueError("one plain address like precis@example.com is expected")
    return address


def _check_public_url(url: str) -> str:
    is_plain = url.isascii() and url.isprintable() and " " not in url
    if not is_plain or not url.startswith(("http://", "https://")):
        raise ValueError("an address that begins with http:// or https:// is expected")
    return url


class NotifierSettings(DatabaseSettings, MasterKeySettings):
    public_url: Annotated[str, AfterValidator(_check_public_url)] = (
        "http://127.0.0.1:8000"
    )
    """Where the gateway is reached; links in mails begin with it."""
    webhook_allow_networks: Networks = ()
    """Exempt from the https, port and address rules of webhook URLs."""
    delivery_lease: Span = timedelta(seconds=30)
    """How long a silent notifier keeps a webhook; half of it is an attempt's limit."""

    smtp_host: str = "127.0.0.1"
    smtp_port: Port = 25
    smtp_security: Security = "none"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    mail_from: Annotated[str, AfterValidator(_check_sender)] = "precis@localhost"

    @property
    def relay(self) -> Relay:
        password = self.smtp_password
        return Relay(
            host=self.smtp_host,
            port=self.smtp_port,
            security=self.smtp_security,
            username=self.smtp_username,
            password=password.get_secret_value() if password else None,
        )
