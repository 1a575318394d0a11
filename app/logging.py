"""Structured logs: one JSON object a line, or readable lines on a terminal; ours and those of libraries alike."""

import logging
import sys
from typing import Any, Literal

import msgspec
import structlog
from structlog.types import EventDict, Processor, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["auto", "console", "json"]

_QUIET = ("httpx", "httpcore", "asyncio", "_granian", "granian.access", "alembic.runtime.plugins")


def configure_logging(level: Level = "info", form: Form = "auto") -> None:
    """Set up logging of this process, to standard error.

    `form` auto means console on a terminal and JSON elsewhere. Tracebacks hold no values of variables.
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    threshold = getattr(logging, level.upper())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [structlog.processors.format_exc_info, render_json]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def render_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    """One line of compact JSON, time and level first; values that JSON does not know become their text."""
    line: dict[str, Any] = {
        "timestamp": event.pop("timestamp", None),
        "level": event.pop("level", None),
        **event,
    }
    return msgspec.json.encode(line, enc_hook=repr).decode()
