"""What every answer carries, and what the access log says."""

import io
import json
import logging

import pytest
import structlog
from litestar import Litestar, get
from litestar.testing import TestClient

from app.http import middleware
from app.http.middleware import install
from app.logging import configure_logging, render_json
from tests.http.conftest import TENANT, THING

SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "strict-origin-when-cross-origin",
}


@pytest.mark.parametrize("path", ["/things", "/nope", "/broken/ours", "/health"])
def test_every_answer_has_an_id_and_the_security_headers(client, path: str):
    response = client.get(path)
    assert len(response.headers["x-request-id"]) == 32
    assert response.headers.items() >= {**SECURITY, "cache-control": "no-store"}.items()


@pytest.mark.parametrize(
    ("sent", "kept"), [("abc-1.2:3", True), ("x" * 200, False), ("a b", False), ("a\u00e9", False)]
)
def test_a_sane_request_id_is_kept(client, sent: str, kept: bool):
    response = client.get("/health", headers={"x-request-id": sent.encode("latin-1")})
    assert (response.headers["x-request-id"] == sent) is kept


def test_pages_get_a_policy_unless_they_bring_one():
    @get("/page", media_type="text/html", sync_to_thread=False)
    def page() -> str:
        return "<p>"

    with TestClient(install(Litestar([page], logging_config=None))) as client:
        assert client.get("/page").headers["content-security-policy"].startswith("default-src 'self'")


def test_other_origins_are_let_in_only_when_listed(client):
    listed = client.get("/things", headers={"origin": "https://shop.example"})
    assert listed.headers["access-control-allow-origin"] == "https://shop.example"
    assert "x-om-operation" in listed.headers["access-control-expose-headers"]
    other = client.get("/things", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    preflight = client.options("/things", headers={"origin": "https://shop.example"})
    assert preflight.status_code == 204
    assert "x-om-ext-optimistic-lock-expected-updated-at" in preflight.headers["access-control-allow-headers"]


def test_the_access_log_names_the_template_and_no_query(client, monkeypatch):
    # A logger remembers the configuration of its first use, which may have been another test's.
    monkeypatch.setattr(middleware, "logger", structlog.get_logger("backstep.access"))
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        client.patch(f"/things/{THING}?secret=1", json={"newName": "hidden"})
        client.get("/nope?secret=1")
        client.get("/health")
    first, second = [line for line in lines if line["event"] == "request"]
    assert (first["method"], first["path"], first["status"]) == ("PATCH", "/things/{thingId}", 200)
    assert (first["tenant"], first["command_id"]) == (TENANT, "things.rename")
    assert first["duration_ms"] > 0 and len(first["request_id"]) == 32
    assert (second["path"], second["status"]) == ("unmatched", 404)
    assert "secret" not in str(lines) and "hidden" not in str(lines)


def test_log_lines_are_json_and_hold_no_variables(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    before, level = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        configure_logging("info", "json")
        password = "hunter2"
        try:
            raise ValueError("went wrong")
        except ValueError:
            structlog.get_logger("t").error("failed", length=len(password), tenant=TENANT, exc_info=True)
        logging.getLogger("library").warning("from %s", "outside")
        structlog.get_logger("t").debug("not shown")
        ours, theirs = [json.loads(line) for line in stream.getvalue().splitlines()]
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers[:] = before
        logging.getLogger().setLevel(level)
    assert (ours["level"], ours["event"], ours["tenant"]) == ("error", "failed", str(TENANT))
    assert "ValueError: went wrong" in ours["exception"] and "hunter2" not in stream.getvalue()
    assert (theirs["logger"], theirs["event"]) == ("library", "from outside")
    assert json.loads(render_json(None, "", {"event": "x", "odd": object}))["odd"]
