"""Take the pictures of the README: a server of its own on throw-away data, a short story, a real Chromium.

Usage: python scripts/screenshots.py [DIRECTORY]     (default: docs/images)
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 300_000
"""Bytes that a committed picture may have."""

ENTRIES = (
    ("low", "Low", "#64748b"),
    ("normal", "Normal", "#0284c7"),
    ("high", "High", "#ea580c"),
    ("urgent", "Urgent", "#dc2626"),
    ("someday", "Some day", None),
)


PROJECTS = "user:projects"
FIELDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("name", "text", {"label": "Name", "validation": [{"rule": "required", "message": "It needs a name"}]}),
    ("urgency", "select", {"label": "Urgency", "options": ["Low", "Normal", "High"], "filterable": True}),
    ("budget", "float", {"label": "Budget"}),
    ("active", "boolean", {"label": "Active", "filterable": True}),
    ("due", "date", {"label": "Due", "filterable": True}),
    ("tags", "text", {"label": "Tags", "multi": True}),
    ("notes", "multiline", {"label": "Notes", "listVisible": False, "encrypted": True}),
)
RECORDS: tuple[tuple[Any, ...], ...] = (
    ("Website relaunch", "High", 48_000, True, "2026-10-01", ["web", "brand"]),
    ("Office move", "Normal", 12_500, True, "2026-09-15", ["facilities"]),
    ("Price list", "Low", 2_400, False, "2026-12-20", ["sales"]),
    ("Partner portal", "High", 96_000, True, "2027-02-28", ["web", "sales"]),
    ("Audit", "Normal", 18_200, True, "2026-11-30", ["finance"]),
)


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(data: Path | None = None, **settings: str) -> Iterator[str]:
    """The address of a running demo server; it is stopped at the end, and its data removed unless it was given."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="backstep-") as own:
        place = str(data or own)
        command = [sys.executable, "-m", "app", "serve", "--data", place, "--port", str(port), "--demo"]
        quiet = {**os.environ, "BACKSTEP_LOG_LEVEL": "error", **settings}
        process = subprocess.Popen(command, cwd=ROOT, env=quiet, stdout=subprocess.DEVNULL)
        try:
            wait_until_ready(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Return once the server answers `/ready`; raises `RuntimeError` when it ends, or takes more than a minute."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{url}/ready", timeout=2):  # noqa: S310 - our own server, always http
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                break
            time.sleep(0.2)
    raise RuntimeError("the server did not start")


class Person:
    """Somebody who changes things through the API."""

    def __init__(self, context: BrowserContext, url: str, email: str) -> None:
        self.context, self.url = context, url
        self.call("POST", "/auth/login", form={"email": email, "password": "secret"})

    def call(
        self, method: str, path: str, body: Any = None, form: dict[str, str | float | bool] | None = None
    ) -> Any:
        """One call; its JSON answer. Raises `RuntimeError` for anything but success."""
        data = None if body is None else json.dumps(body)
        headers = {"content-type": "application/json"} if data else {}
        answer = self.context.request.fetch(
            f"{self.url}/api{path}", method=method, data=data, form=form, headers=headers
        )
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.text()}")
        return answer.json()


def tell(admin: Person) -> str:
    """A short history around one dictionary; its id."""
    body = {"key": "urgency", "name": "Urgency", "description": "How soon a request has to be dealt with."}
    dictionary = admin.call("POST", "/dictionaries", body)["id"]
    path = f"/dictionaries/{dictionary}/entries"
    ids = [
        admin.call("POST", path, {"value": value, "label": label, "color": color, "position": position})["id"]
        for position, (value, label, color) in enumerate(ENTRIES)
    ]
    admin.call("POST", f"{path}/set-default", {"entryId": ids[1]})
    admin.call("DELETE", f"{path}/{ids[4]}")
    admin.call(
        "POST", f"{path}/reorder", {"entries": [{"id": ids[3], "position": 2}, {"id": ids[2], "position": 3}]}
    )
    admin.call("PATCH", f"{path}/{ids[3]}", {"label": "Urgent, today", "color": "#b91c1c"})
    admin.call("PATCH", f"{path}/{ids[2]}", {"label": "Important", "color": "#d97706"})
    return str(dictionary)


def tell_again(admin: Person, dictionary: str) -> None:
    """Three more changes of that dictionary, of two events each."""
    path = f"/dictionaries/{dictionary}"
    entry = admin.call("POST", f"{path}/entries", {"value": "never", "label": "Never"})["id"]
    admin.call("PATCH", f"{path}/entries/{entry}", {"color": "#475569"})
    admin.call("PATCH", path, {"description": "How soon a request is dealt with, if at all."})


def design(admin: Person) -> None:
    """An entity of projects, with fields and records."""
    body = {"entityId": PROJECTS, "label": "Projects", "labelField": "name", "showInSidebar": True}
    admin.call("POST", "/entities/entities", {**body, "description": "What we work on, and by when."})
    definitions = [{"key": key, "kind": kind, "configJson": config} for key, kind, config in FIELDS]
    admin.call("POST", "/entities/definitions.batch", {"entityId": PROJECTS, "definitions": definitions})
    keys = [key for key, _, _ in FIELDS]
    for record in RECORDS:
        values = dict(zip(keys, record, strict=False))
        admin.call("POST", "/entities/records", {"entityId": PROJECTS, "values": values})


def take(page: Page, path: Path) -> None:
    """Write a picture of the window; raises `RuntimeError` when it is larger than may be committed."""
    page.screenshot(path=path)
    if path.stat().st_size > LARGEST:
        raise RuntimeError(f"{path} has {path.stat().st_size} bytes")
    print(path)


def main(directory: Path) -> None:
    """Take all pictures."""
    directory.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with server() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
        admin = Person(context, url, "admin@acme.com")
        dictionary = tell(admin)
        page = context.new_page()
        page.goto(f"{url}/backend/activity")
        page.get_by_role("button", name="Undo: Update dictionary entry Important").click()
        page.locator(".entry[data-type=undo]").wait_for()
        page.locator(".toast").wait_for()
        page.wait_for_timeout(3_000)  # until what is new has stopped to glow
        take(page, directory / "activity.png")
        page.goto(f"{url}/backend/dictionaries/{dictionary}")
        page.locator(".entry-row").first.wait_for()
        page.wait_for_timeout(500)
        take(page, directory / "dictionary.png")
        design(admin)
        for name, place in (("data", "data"), ("designer", "entities")):
            page.goto(f"{url}/backend/{place}/{PROJECTS}")
            page.locator("tr.row:not(.is-skeleton)").first.wait_for()
            page.wait_for_timeout(500)
            take(page, directory / f"{name}.png")
        page.goto(f"{url}/backend/events")
        page.locator("#connection[data-state=live]").wait_for()
        page.locator("#declared-table[aria-busy=false]").wait_for(state="attached")
        tell_again(admin, dictionary)
        page.locator(".happening").nth(5).wait_for()
        page.locator(".happening summary").first.click()
        page.wait_for_timeout(3_000)
        take(page, directory / "events.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
