"""The roof of Backstep: process, HTTP, pages, command line, jobs and the wiring of it all."""

from typing import Final

VERSION: Final = "0.1.0"
