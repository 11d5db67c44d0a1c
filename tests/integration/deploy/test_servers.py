"""The real servers behind the tests' fixtures serve and keep their promises."""

import smtplib
import socket
import struct
import time
from email.message import EmailMessage

import psycopg
import redis

from tests.fixtures.servers import SmtpSink


def test_postgres_serves_with_a_password_and_keeps_writing_to_disk(
    postgres_url: str,
) -> None:
    with psycopg.connect(postgres_url) as connection:
        version, fsync = connection.execute(
            "SELECT current_setting('server_version_num')::int,"
            " current_setting('fsync')"
        ).fetchone() or (0, "")
    assert version >= 150000
    assert fsync == "on"


def test_valkey_keeps_its_hints_and_never_drops_them(valkey_url: str) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        settings = client.config_get("appendonly", "maxmemory-policy")
    assert settings == {"appendonly": "yes", "maxmemory-policy": "noeviction"}


def test_kafka_speaks_its_protocol(kafka_bootstrap: str) -> None:
    host, _, port = kafka_bootstrap.partition(":")
    correlation = 7
    ask_for_versions = struct.pack(">hhih", 18, 0, correlation, -1)
    with socket.create_connection((host, int(port)), timeout=5) as broker:
        broker.sendall(struct.pack(">i", len(ask_for_versions)) + ask_for_versions)
        answer = broker.recv(10, socket.MSG_WAITALL)
    assert struct.unpack(">ih", answer[4:]) == (correlation, 0)


def test_a_mail_becomes_a_whole_file(smtp_sink: SmtpSink) -> None:
    message = EmailMessage()
    message["Subject"] = "eins"
    message.set_content("hallo")
    with smtplib.SMTP(smtp_sink.host, smtp_sink.port) as client:
        client.send_message(message, from_addr="a@example.org", to_addrs=["b@c.org"])
    deadline = time.monotonic() + 5
    while not (mails := list(smtp_sink.folder.glob("*.eml"))):
        assert time.monotonic() < deadline
    assert b"Subject: eins" in mails[0].read_bytes()
