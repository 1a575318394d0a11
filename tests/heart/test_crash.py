"""A server killed under load, PostgreSQL with it, lost nothing it acknowledged and left nothing half done."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import Struct

from tests.process.conftest import Serve, command, kill_tree, postmaster, serve  # noqa: F401  # a fixture

pytestmark = [
    pytest.mark.process,
    pytest.mark.xdist_group("process"),
    pytest.mark.slow,
    pytest.mark.timeout(150),
]

CLIENTS = 8
ROUNDS = 3
LOAD_SECONDS = 2.0
UNDO = "/audit_logs/audit-logs/actions/undo"
Entry = dict[str, Any] | None
"""What a client must see of an entry: its value, label and position; None when it is gone."""


class Book(Struct):
    """What one client was told, by entry id; `pending` is what its last, unanswered request may have made of one."""

    dictionary: str
    known: dict[str, Entry]
    pending: tuple[str, Entry] | None = None
    created: str | None = None
    """The value of an entry whose creation was not answered."""
    answered: int = 0


async def ask(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> httpx.Response:
    """One request; the server must never fail it, though it may vanish."""
    answer = await client.request(method, path, json=body)
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    if answer.status_code == 503:
        raise httpx.ReadError("the database is gone")
    return answer


def seen(item: dict[str, Any]) -> dict[str, Any]:
    return {key: item[key] for key in ("value", "label", "position")}


async def work(client: httpx.AsyncClient, book: Book, chance: random.Random) -> None:
    """Change entries of one dictionary until the server is gone, and keep book."""
    entries = f"/dictionaries/{book.dictionary}/entries"
    number = len(book.known)
    while True:
        number += 1
        alive = [id for id, entry in book.known.items() if entry is not None]
        kind = chance.choice(["create", "update", "update", "delete", "undo"]) if len(alive) > 2 else "create"
        if kind == "create":
            book.created = f"value {number} {chance.random()}"
            made = (await ask(client, "POST", entries, {"value": book.created, "position": number})).json()
            book.known[made["id"]], book.created = seen(made), None
        else:
            id = chance.choice(alive)
            before = book.known[id]
            assert before is not None
            after: Entry = (
                None
                if kind == "delete"
                else {**before, "label": f"label {number} {chance.random()}", "position": number}
            )
            book.pending = id, after
            body = None if after is None else {"label": after["label"], "position": number}
            answer = await ask(client, "DELETE" if after is None else "PATCH", f"{entries}/{id}", body)
            assert answer.status_code == 200, answer.text
            book.known[id], book.pending = after, None
            if kind == "undo":
                book.pending = id, before
                token = answer.headers["x-om-operation"].partition("undoToken%22%3A%22")[2][:36]
                undone = await ask(client, "POST", UNDO, {"undoToken": token})
                assert undone.status_code == 200, undone.text
                book.known[id], book.pending = before, None
        book.answered += 1


async def until_gone(client: httpx.AsyncClient, book: Book, chance: random.Random) -> None:
    try:
        await work(client, book, chance)
    except (httpx.TransportError, httpx.StreamError):
        return


async def check(client: httpx.AsyncClient, book: Book) -> None:
    """Everything that was acknowledged is there; of the request that was not, all or nothing. Then keep book of it."""
    items = (await client.get(f"/dictionaries/{book.dictionary}/entries")).json()["items"]
    there = {item["id"]: seen(item) for item in items}
    for id, entry in book.known.items():
        allowed = [entry] + ([book.pending[1]] if book.pending is not None and book.pending[0] == id else [])
        assert there.get(id) in allowed, f"acknowledged {entry}, found {there.get(id)}"
    unknown = {id: entry for id, entry in there.items() if id not in book.known}
    assert all(entry["value"] == book.created for entry in unknown.values()) and len(unknown) <= 1
    book.known = {**dict.fromkeys(book.known), **there}
    book.pending = book.created = None


async def signed_in(port: int) -> httpx.AsyncClient:
    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20)
    answer = await client.post("/auth/login", data={"email": "admin@acme.com", "password": "secret"})
    assert answer.status_code == 200, answer.text
    client.headers["authorization"] = f"Bearer {answer.json()['token']}"
    client.cookies.clear()
    return client


async def test_given_a_kill_under_load_then_all_that_was_acknowledged_is_there_and_all_is_consistent(
    serve: Serve,  # noqa: F811
    tmp_path: Path,
) -> None:
    data, chance = tmp_path / "data", random.Random(11)
    books: list[Book] = []
    for turn in range(ROUNDS + 1):
        server = serve(data, "--demo")
        await asyncio.to_thread(server.wait_ready, 60)
        client = await signed_in(server.port)
        for book in books:
            await check(client, book)
        if turn == ROUNDS:
            break
        while len(books) < CLIENTS:
            made = await client.post("/dictionaries", json={"key": f"book{len(books)}", "name": "Book"})
            assert made.status_code == 201, made.text
            books.append(Book(made.json()["id"], {}))
        answered = sum(book.answered for book in books)
        load = [
            asyncio.create_task(until_gone(client, b, random.Random(f"{turn} {b.dictionary}"))) for b in books
        ]
        await asyncio.sleep(LOAD_SECONDS * (0.5 + chance.random()))
        database = postmaster(data)
        kill_tree(server.process.pid)
        kill_if_alive(database)
        await asyncio.wait_for(asyncio.gather(*load), 30)
        await client.aclose()
        assert sum(book.answered for book in books) > answered + CLIENTS, "there was load"
    verified = await asyncio.to_thread(command, "verify", "--data", str(data))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    await client.aclose()


def kill_if_alive(pid: int) -> None:
    """PostgreSQL is not always a child of the server, because it may outlive the process that started it."""
    import psutil

    try:
        kill_tree(pid)
    except psutil.NoSuchProcess:
        return
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
