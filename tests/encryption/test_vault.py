"""Wrapping keys in Vault, and what happens where keys are missing or wrong."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.database import Database
from app.encryption import Encryption
from app.settings import Settings, StartError
from app.vault import COOLDOWN_SECONDS, Vault
from domain.encryption.tokens import Place, TenantKeys
from domain.encryption.wrapping import KeyMissing, KeysUnavailable
from tests.conftest import SECRET, Tenant
from tests.encryption.vault_server import TOKEN, VaultServer


@pytest.fixture
async def server() -> AsyncIterator[VaultServer]:
    running = VaultServer()
    await running.start()
    yield running
    await running.stop()


@pytest.fixture(autouse=True)
async def no_keys_stay(database: Database) -> AsyncIterator[None]:
    """Keys of a Vault that is gone must not be in the way of others."""
    yield
    async with database.system() as connection:
        await connection.execute("delete from data_keys where wrapped_by = 'vault'")


def vault_settings(tmp_path: Path, server: VaultServer, **more: Any) -> Settings:
    return Settings.read(
        data=tmp_path, secret=SECRET, vault_addr=server.address, **{"vault_token": TOKEN, **more}
    )


async def keys_of(encryption: Encryption, tenant: Tenant) -> TenantKeys:
    keys = await encryption.keys(tenant.id, make=True)
    assert keys is not None
    return keys


async def test_a_wrapping_key_is_made_once_and_two_processes_read_the_same(
    database: Database, tenant: Tenant, server: VaultServer, tmp_path: Path
) -> None:
    settings = vault_settings(tmp_path, server)
    one = await keys_of(Encryption(database, settings), tenant)
    other = await keys_of(Encryption(database, settings), tenant)
    place = Place("users", "name", tenant.id)
    assert bytes(other.open(one.seal(place, "Ada")).value) == b'"Ada"'
    path = f"/v1/secret/data/tenant_key_{tenant.id}"
    assert len(server.secrets[path]) == 1
    async with database.system() as connection:
        rows = await connection.fetch("select * from data_keys where tenant_id = $1", tenant.id)
    assert {row["wrapped_by"] for row in rows} == {"vault"} and len(rows) == 2
    assert server.secrets[path][0]["key"] not in str(rows)


async def test_keys_are_remembered(
    database: Database, tenant: Tenant, server: VaultServer, tmp_path: Path
) -> None:
    encryption = Encryption(database, vault_settings(tmp_path, server))
    await keys_of(encryption, tenant)
    asked = len(server.requests)
    await keys_of(encryption, tenant)
    assert len(server.requests) == asked


async def test_a_vault_that_fails_is_left_alone_for_a_while(
    tenant: Tenant, server: VaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(vault_settings(tmp_path, server))
    server.status = 503
    with pytest.raises(KeysUnavailable):
        await vault.wrapping_key(tenant.id, make=True)
    server.status = None
    with pytest.raises(KeysUnavailable):
        await vault.wrapping_key(tenant.id, make=True)
    assert len(server.requests) == 1
    vault._failed -= COOLDOWN_SECONDS + 1  # type: ignore[operator]  # the time has passed
    assert len(await vault.wrapping_key(tenant.id, make=True)) == 32


async def test_a_slow_vault_is_given_up(tenant: Tenant, server: VaultServer, tmp_path: Path) -> None:
    server.delay = 2.0
    vault = Vault(vault_settings(tmp_path, server, vault_request_timeout_ms=100))
    with pytest.raises(KeysUnavailable, match="does not answer"):
        await vault.wrapping_key(tenant.id, make=False)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"vault_token": "wrong"}, "403"), ({"vault_addr": "http://127.0.0.1:9"}, "does not answer")],
)
async def test_a_vault_that_cannot_be_used_keeps_the_server_from_starting(
    database: Database, server: VaultServer, tmp_path: Path, given: dict[str, str], said: str
) -> None:
    settings = vault_settings(tmp_path, server).model_copy(
        update={
            "vault_addr": given.get("vault_addr", server.address),
            "vault_token": type(vault_settings(tmp_path, server).vault_token)(  # type: ignore[misc]
                given.get("vault_token", TOKEN)
            ),
        }
    )
    with pytest.raises(StartError, match=said):
        await Encryption(database, settings).check()


async def test_vault_without_a_token_is_a_wrong_setting(tmp_path: Path, database: Database) -> None:
    settings = Settings.read(data=tmp_path, secret=SECRET, vault_addr="http://127.0.0.1:9")
    with pytest.raises(StartError, match="VAULT_TOKEN"):
        Encryption(database, settings)


async def test_keys_of_vault_without_vault_keep_the_server_from_starting(
    database: Database, tenant: Tenant, server: VaultServer, tmp_path: Path
) -> None:
    await keys_of(Encryption(database, vault_settings(tmp_path, server)), tenant)
    with pytest.raises(StartError, match="VAULT_ADDR"):
        await Encryption(database, Settings.read(data=tmp_path, secret=SECRET)).check()


async def test_a_wrong_master_key_keeps_the_server_from_starting(
    database: Database, settings: Settings, tenant: Tenant, tmp_path: Path
) -> None:
    await keys_of(Encryption(database, settings), tenant)
    wrong = Settings.read(data=tmp_path, secret="another master key, long enough to be one, too")
    with pytest.raises(StartError, match="cannot be unwrapped"):
        await Encryption(database, wrong).check()
    await Encryption(database, settings).check()


async def test_a_secret_of_vault_that_vanished_is_not_made_anew(
    database: Database, tenant: Tenant, server: VaultServer, tmp_path: Path
) -> None:
    settings = vault_settings(tmp_path, server)
    await keys_of(Encryption(database, settings), tenant)
    server.secrets.clear()
    with pytest.raises(KeyMissing):
        await Encryption(database, settings).keys(tenant.id)
    assert not any(server.secrets.values())
