"""How far a long command is: told while it runs, outside of its transaction, to whoever asked for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int | None], None]
"""Given the phase, how much of it is done, and how much there is, if that is known. It must be quick."""

_listener: ContextVar[Listener | None] = ContextVar("progress", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """What is told in this block, by commands that run in it, goes to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(phase: str, done: int = 0, total: int | None = None) -> None:
    """Say how far the command at hand is; nothing happens when nobody listens."""
    listener = _listener.get()
    if listener is not None:
        listener(phase, done, total)
