"""The background job that brings stored values to what the maps and the newest key ask for."""

from typing import Final

from msgspec import Struct

REENCRYPT_JOB: Final = "encryption.reencrypt"


class ReencryptRequest(Struct, frozen=True):
    """Of which tables; none: of all that may hold sealed values."""

    tables: tuple[str, ...] = ()
