"""The system account that the embedded PostgreSQL runs under: PostgreSQL refuses to run as root."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple, TypedDict

from app.settings import StartError

NAME: Final = "backstep-db"


class ProcessAccount(TypedDict, total=False):
    """The arguments that make `subprocess` start a program under another account."""

    user: int
    group: int
    extra_groups: list[int]


class Account(NamedTuple):
    """A system account by number; `uid` is `None` when the server runs as we do."""

    uid: int | None
    gid: int | None

    def arguments(self) -> ProcessAccount:
        """How `subprocess` starts a program under this account."""
        if self.uid is None or self.gid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give a file or folder to this account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def account_for(files: Path) -> Account:
    """Our own account; for root the owner of the files, or an account without rights that is made when missing.

    Raises `StartError` when the files belong to somebody else, or when no account can be made.
    """
    owner = files.stat() if files.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise StartError(
                f"{files} belongs to another system account ({_name(owner.st_uid)}); use that one."
            )
        return Account(None, None)
    if owner is not None and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        entry = _make_account()
    return Account(entry.pw_uid, entry.pw_gid)


def make_reachable(account: Account, programs: Path, data: Path) -> None:
    """Let the account pass through the folders above the programs and the data: it needs no more than to traverse."""
    if account.uid is None:
        return
    package = programs.parent
    for path in (programs / "postgres", package / "lib", package / "share"):
        if not path.stat().st_mode & stat.S_IROTH:
            _open_tree(package)
            break
    for folder in dict.fromkeys([*package.resolve().parents, *_with_parents(data.resolve())]):
        status = folder.stat()
        if status.st_uid == account.uid or status.st_mode & stat.S_IXOTH:
            continue
        print(f"Making {folder} traversable for the system account {_name(account.uid)}.", file=sys.stderr)
        try:
            folder.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
        except OSError as error:
            reason = error.strerror
            raise StartError(f"{_name(account.uid)} must be able to traverse {folder}: {reason}.") from None


def _make_account() -> pwd.struct_passwd:
    program = shutil.which("useradd") or "/usr/sbin/useradd"
    shell = "/usr/sbin/nologin"
    command = [
        program,
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        shell,
        NAME,
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        detail = (
            error.stderr.decode().strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        )
        try:
            return pwd.getpwnam(NAME)  # somebody else made it meanwhile
        except KeyError:
            raise StartError(
                f"PostgreSQL does not run as root, and the system account {NAME} could not be made ({detail}). "
                "Start as another user, or set DATABASE_URL."
            ) from None
    return pwd.getpwnam(NAME)


def _open_tree(package: Path) -> None:
    for folder, _, names in os.walk(package):
        for path in [Path(folder), *(Path(folder) / name for name in names)]:
            if path.is_symlink():
                continue
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def _with_parents(path: Path) -> list[Path]:
    return [path, *path.parents]


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
