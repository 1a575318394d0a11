"""From the request to the mailbox, by a real mail server (contract: auth.md 7.5 and 8.6)."""

import re

import httpx

from app.mail.transport import Smtp, SmtpServer
from app.main import Application
from tests.conftest import Tenant
from tests.mail.conftest import Sink


async def test_a_forgotten_password_by_mail(client: httpx.AsyncClient, tenant: Tenant, by_smtp: Sink) -> None:
    email = tenant.employee.email
    asked = await client.post("/auth/reset", data={"email": email}, headers={"accept-language": "de"})
    assert asked.status_code == 200

    await by_smtp.wait(1)
    (message,) = by_smtp.to(email)
    html = message.get_body(("html",)).get_content()
    token = re.search(r"/reset/([0-9a-f]{64})", message.get_body(("plain",)).get_content())
    assert token is not None and token[0] in html
    assert message["Subject"].startswith("Neues Passwort")
    confirmed = await client.post(
        "/auth/reset/confirm", data={"token": token[1], "password": "New-Passw0rd!"}
    )
    assert confirmed.json() == {"ok": True, "redirect": "/login"}
    signed = await client.post("/auth/login", data={"email": email, "password": "New-Passw0rd!"})
    assert signed.status_code == 200


async def test_a_mail_server_that_is_away_keeps_nobody_waiting(
    client: httpx.AsyncClient, tenant: Tenant, application: Application, by_smtp: Sink
) -> None:
    working = application.delivery.transport
    application.delivery.transport = Smtp(SmtpServer("127.0.0.1", 1, None, None, False, None))
    email = tenant.employee.email

    assert (await client.post("/auth/reset", data={"email": email})).json() == {"ok": True}

    application.delivery.transport = working
    async with application.database.system() as connection:
        sql = "update mail_outbox set due_at = now() where tenant_id = $1 and attempts > 0"
        for _ in range(200):
            if (await connection.execute(sql, tenant.id)) == "UPDATE 1":
                break
            import asyncio

            await asyncio.sleep(0.02)
    application.delivery.wake()
    await by_smtp.wait(1)
    assert len(by_smtp.to(email)) == 1
