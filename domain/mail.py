"""Mail on its way: the table that it waits in, and the sealed letters in it.

A letter is written down in the transaction of the command that causes it, and sent after the commit by a task of its
own. What stands in the table is sealed, because a letter may hold the link that a password is reset with.
"""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from domain.keys import seal, unseal
from domain.resources import Resource, tenant_table

NO_TENANT: Final = UUID(int=0)
"""Of work that is done before anybody knows whose it is."""

Kind = Literal["reset_request", "password_reset", "invitation"]

mail_outbox = tenant_table(
    "mail_outbox",
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, default="waiting"),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("last_error", sa.Text),
)
"""`state` is waiting or dead (given up, kept to be looked at); what was sent is deleted. After `expires_at` nobody
would want the letter any more."""

MAIL_OUTBOX = Resource(mail_outbox, secret=frozenset({"sealed"}), logged=False)


class Letter(Struct, frozen=True):
    """One mail before it is written: to whom, in which language, and what the texts of its kind are filled with."""

    kind: Kind
    to: str
    locale: str
    values: dict[str, str]
    """`link` is where the button leads."""


class ResetRequest(Struct, frozen=True):
    """Somebody asked for a new password for this e-mail address; whether there is an account is not known yet."""

    email: str
    locale: str
    base_url: str
    at: datetime


_encode = msgspec.json.Encoder().encode


def sealed_letter(key: bytes, tenant_id: UUID, letter: Letter) -> str:
    """The letter as it may stand in the table; it can be opened for the same tenant only."""
    return seal(key, f"mail/{tenant_id}", _encode(letter).decode())


def opened_letter(key: bytes, tenant_id: UUID, sealed: str) -> Letter:
    """The letter in the seal. Raises ValueError when this installation did not seal it for this tenant."""
    return msgspec.json.decode(unseal(key, f"mail/{tenant_id}", sealed), type=Letter)


def sealed_request(key: bytes, request: ResetRequest) -> str:
    """The request as it may stand in the table."""
    return seal(key, "mail/reset-request", _encode(request).decode())


def opened_request(key: bytes, sealed: str) -> ResetRequest:
    """The request in the seal. Raises ValueError when this installation did not seal it."""
    return msgspec.json.decode(unseal(key, "mail/reset-request", sealed), type=ResetRequest)
