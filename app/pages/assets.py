"""The files that the pages load, held in memory under one content-addressed path.

All files share one digest in their URL (`/static/<digest>/js/activity.js`), so that relative imports between
ES modules keep working, a browser may cache every file for ever, and any change of any file changes every URL.
"""

import gzip
import hashlib
import re
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Final

from msgspec import Struct

STATIC_DIRECTORY: Final = Path(__file__).parent / "static"

MEDIA_TYPES: Final = MappingProxyType(
    {
        ".css": "text/css",
        ".js": "text/javascript",
        ".svg": "image/svg+xml",
    }
)

_IMPORT: Final = re.compile(r"""(?:from|import)\s+["'](\./[\w./-]+\.js)["']""")


class Asset(Struct, frozen=True):
    """One file: its bytes as they are, compressed with gzip, and its media type."""

    content: bytes
    compressed: bytes
    media_type: str


class Assets:
    """All files below a directory; only files of a known media type are served."""

    def __init__(self, directory: Path = STATIC_DIRECTORY) -> None:
        """Read every file once; raises `OSError` when the package was installed without its files."""
        self._assets = {
            path.relative_to(directory).as_posix(): _read(path)
            for path in sorted(directory.rglob("*"))
            if path.suffix in MEDIA_TYPES
        }

    @cached_property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that name this exact set of files."""
        digest = hashlib.sha256()
        for name, asset in self._assets.items():
            digest.update(name.encode() + b"\0" + hashlib.sha256(asset.content).digest())
        return digest.hexdigest()[:16]

    def url(self, name: str) -> str:
        """Versioned path of a file, such as `js/activity.js`; raises `KeyError` for an unknown one."""
        self._assets[name]
        return f"/static/{self.digest}/{name}"

    def find(self, name: str) -> Asset | None:
        """The file of that name, or None."""
        return self._assets.get(name)

    def modules(self, entry: str) -> list[str]:
        """Versioned paths of all modules that a page's entry module needs, itself first.

        They are announced in the page's head, so that the browser fetches them at once instead of one import
        level after the other.
        """
        found, waiting = dict[str, None](), [entry]
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found[name] = None
            folder = name.rpartition("/")[0]
            source = self._assets[name].content.decode()
            waiting += [f"{folder}/{path.removeprefix('./')}" for path in _IMPORT.findall(source)]
        return [self.url(name) for name in found]


def made(content: bytes, media_type: str) -> Asset:
    """An asset of bytes that are in no file."""
    return Asset(content, gzip.compress(content, 9, mtime=0), media_type)


def _read(path: Path) -> Asset:
    return made(path.read_bytes(), MEDIA_TYPES[path.suffix])
