"""How mail leaves the house: SMTP, files, nothing (contract: auth.md sections 3 and 13)."""

import stat
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.mail.rendering import message_of
from app.mail.transport import (
    Folder,
    Nowhere,
    RefusedForGood,
    Smtp,
    SmtpServer,
    Unsent,
    sender_of,
    smtp_server,
    transport_of,
)
from app.settings import Settings, StartError
from domain.mail import Letter
from tests.mail.conftest import Sink

VALUES = {"link": "https://office.example/reset/x", "email": "a@b.example", "tenant": "Łódź"}


def message(to: str = "zoë@example.com"):
    letter = Letter("invitation", to, "pl", VALUES | {"minutes": "60", "hours": "48"})
    return message_of(letter, "Backstep <office@example.com>", uuid4())


def settings(tmp_path: Path, **given: Any) -> Settings:
    return Settings.read(data=tmp_path, secret="x" * 32, **given)


async def test_messages_go_by_smtp_over_one_connection(sink: Sink) -> None:
    transport = Smtp(SmtpServer("127.0.0.1", sink.port, None, None, False, None))

    async with transport.connected() as send:
        for _ in range(3):
            await send(message("ada@example.com"))

    assert len(sink.messages) == 3
    assert sink.connections == 1
    assert "Łódź" in sink.messages[0].get_body(("plain",)).get_content()


async def test_a_server_that_is_away_is_no_reason_to_give_up(sink: Sink) -> None:
    with pytest.raises(Unsent) as caught:
        async with Smtp(SmtpServer("127.0.0.1", 1, None, None, False, None)).connected():
            pass
    assert not isinstance(caught.value, RefusedForGood)


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [("550 no such user", RefusedForGood), ("450 come back later", Unsent), ("452 full", Unsent)],
)
async def test_only_lasting_refusals_are_for_good(sink: Sink, answer: str, wanted: type[Exception]) -> None:
    sink.refuse = answer
    with pytest.raises(Unsent) as caught:
        async with Smtp(SmtpServer("127.0.0.1", sink.port, None, None, False, None)).connected() as send:
            await send(message("ada@example.com"))
    assert type(caught.value) is wanted


async def test_required_tls_is_not_done_without(sink: Sink) -> None:
    with pytest.raises(Unsent):
        async with Smtp(SmtpServer("127.0.0.1", sink.port, None, None, False, True)).connected():
            pass
    assert sink.messages == []


async def test_without_a_server_mail_becomes_files_for_the_owner_only(tmp_path: Path) -> None:
    async with Folder(tmp_path / "mail").connected() as send:
        await send(message())

    (file,) = (tmp_path / "mail").iterdir()
    assert file.suffix == ".eml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "mail").stat().st_mode) == 0o700
    assert b"Content-Type: multipart/alternative" in file.read_bytes()


def test_settings_choose_the_way(tmp_path: Path) -> None:
    assert isinstance(transport_of(settings(tmp_path)), Folder)
    assert isinstance(transport_of(settings(tmp_path, smtp_host="mail.example")), Smtp)
    assert isinstance(transport_of(settings(tmp_path, email_disabled="on")), Nowhere)
    assert isinstance(transport_of(settings(tmp_path, test_mode="1", smtp_host="mail.example")), Nowhere)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"smtp_host": "mail.example"}, ("mail.example", 587, None, None, False, None)),
        ({"smtp_host": "mail.example", "smtp_port": 465}, ("mail.example", 465, None, None, True, False)),
        ({"smtp_host": "mail.example", "smtp_tls": "tls"}, ("mail.example", 465, None, None, True, False)),
        ({"smtp_host": "mail.example", "smtp_tls": "none"}, ("mail.example", 587, None, None, False, False)),
        (
            {"smtp_host": "mail.example", "smtp_user": "u", "smtp_password": "p"},
            ("mail.example", 587, "u", "p", False, True),
        ),
        (
            {"smtp_host": "localhost", "smtp_user": "u", "smtp_password": "p"},
            ("localhost", 587, "u", "p", False, None),
        ),
        ({"smtp_url": "smtp://u%40x:p%2Fq@mail.example"}, ("mail.example", 587, "u@x", "p/q", False, True)),
        ({"smtp_url": "smtps://mail.example"}, ("mail.example", 465, None, None, True, False)),
        ({"smtp_url": "smtp://mail.example:2525"}, ("mail.example", 2525, None, None, False, None)),
    ],
)
def test_the_server_of_the_settings(tmp_path: Path, given: dict[str, Any], wanted: tuple[Any, ...]) -> None:
    server = smtp_server(settings(tmp_path, **given))

    assert server == SmtpServer(*wanted)


@pytest.mark.parametrize("url", ["mail.example", "http://mail.example", "smtp://", "smtp://host:notaport"])
def test_a_wrong_url_is_refused_at_the_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(StartError):
        smtp_server(settings(tmp_path, smtp_url=url))


def test_the_sender(tmp_path: Path) -> None:
    assert sender_of(settings(tmp_path, email_from="Office <o@example.com>")) == "Office <o@example.com>"
    assert (
        sender_of(settings(tmp_path, app_url="https://office.example"))
        == "Backstep <backstep@office.example>"
    )
    assert sender_of(settings(tmp_path)) == "Backstep <backstep@localhost>"
    with pytest.raises(StartError):
        sender_of(settings(tmp_path, email_from="nobody"))
