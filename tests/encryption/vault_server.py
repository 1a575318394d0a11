"""A small server that speaks Vault's wire protocol of KV version 2, over real HTTP on a port of its own."""

import asyncio
import json
from typing import Any

TOKEN = "vault-token-of-tests"
_TEXT = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 503: "Service Unavailable"}


class VaultServer:
    """Secrets in memory; `status` makes it answer everything with that status, `delay` (seconds) slows it down."""

    def __init__(self) -> None:
        self.secrets: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[str] = []
        self.status: int | None = None
        self.delay = 0.0
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            method, path, headers, body = await _request(reader)
            self.requests.append(f"{method} {path}")
            await asyncio.sleep(self.delay)
            status, answer = self._answer(method, path, headers, body)
            content = json.dumps(answer).encode()
            head = (
                f"HTTP/1.1 {status} {_TEXT[status]}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + content)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        if self.status is not None:
            return self.status, {"errors": ["told to fail"]}
        if headers.get("x-vault-token") != TOKEN:
            return 403, {"errors": ["permission denied"]}
        if not path.startswith("/v1/secret/data/"):
            return 404, {"errors": []}
        versions = self.secrets.setdefault(path, [])
        if method == "GET":
            if not versions:
                return 404, {"errors": []}
            return 200, {"data": {"data": versions[-1], "metadata": {"version": len(versions)}}}
        sent = json.loads(body)
        if sent.get("options", {}).get("cas", len(versions)) != len(versions):
            return 400, {"errors": ["check-and-set parameter did not match the current version"]}
        versions.append(sent["data"])
        return 200, {"data": {"version": len(versions)}}


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = lines[0].split(" ")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
    }
    return method, path, headers, await reader.readexactly(int(headers.get("content-length", "0")))
