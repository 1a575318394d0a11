"""Settings and keys: read once, typed, and silent about secrets."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest

from app.settings import Settings, StartError, master_key
from domain.keys import derived_key, tenant_key


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "BACKSTEP_SECRET", "BACKSTEP_ATTACHED", "OM_OPTIMISTIC_LOCK"):
        monkeypatch.delenv(name, raising=False)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "hush-hush")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hush-hush@host/db")
    monkeypatch.setenv("REDIS_URL", "redis://:hush-hush@host")
    assert "hush" not in repr(Settings.read())


def test_what_the_command_line_gives_comes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BACKSTEP_DATA", "/somewhere/else")
    assert Settings.read(data=tmp_path).data == tmp_path
    assert Settings.read(data=None).data == Path("/somewhere/else")


@pytest.mark.parametrize(("value", "days"), [("12", 12), ("0", 7), ("-3", 7), ("soon", 7), ("", 7)])
def test_a_retention_that_makes_no_sense_means_the_default(
    monkeypatch: pytest.MonkeyPatch, value: str, days: int
) -> None:
    monkeypatch.setenv("AUDIT_LOGS_CORE_RETENTION_DAYS", value)
    assert Settings.read().audit_core_retention_days == days


@pytest.mark.parametrize(
    ("value", "entries", "others"),
    [
        ("", True, True),
        ("all", True, True),
        ("Off", False, False),
        ("disabled", False, False),
        ("dictionaries.entry, customers.person", True, False),
    ],
)
def test_the_optimistic_lock_is_for_all_kinds_for_none_or_for_some(
    monkeypatch: pytest.MonkeyPatch, value: str, entries: bool, others: bool
) -> None:
    monkeypatch.setenv("OM_OPTIMISTIC_LOCK", value)
    settings = Settings.read()
    assert settings.locks("dictionaries.entry") is entries
    assert settings.locks("dictionaries.dictionary") is others


def test_processes_that_start_together_make_one_key(tmp_path: Path) -> None:
    settings = Settings.read(data=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: master_key(settings), range(32)))
    assert len(keys) == 1
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["master.key"]


def test_a_damaged_key_is_told_and_never_replaced(tmp_path: Path) -> None:
    settings = Settings.read(data=tmp_path)
    master_key(settings)
    path = tmp_path / "keys" / "master.key"
    path.write_bytes(b"short")
    with pytest.raises(StartError, match="damaged"):
        master_key(settings)
    assert path.read_bytes() == b"short"


def test_in_production_machines_that_share_a_database_must_be_given_their_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://host/db")
    monkeypatch.setenv("BACKSTEP_ENVIRONMENT", "production")
    with pytest.raises(StartError, match="BACKSTEP_SECRET"):
        master_key(Settings.read(data=tmp_path))
    monkeypatch.setenv("BACKSTEP_SECRET", "a text of thirty-two characters!!")
    assert len(master_key(Settings.read(data=tmp_path))) == 32


def test_every_purpose_and_every_tenant_has_a_key_of_its_own() -> None:
    master, one, two = bytes(32), UUID(int=1), UUID(int=2)
    keys = [
        derived_key(master, "a"),
        derived_key(master, "b"),
        tenant_key(master, one, "a"),
        tenant_key(master, one, "b"),
        tenant_key(master, two, "a"),
        derived_key(b"\1" * 32, "a"),
    ]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 32 for key in keys)
