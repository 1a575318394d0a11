"""The installation is reproducible: pinned with hashes, and no host is named."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_lock_names_no_host_and_hashes_everything() -> None:
    text = (ROOT / "requirements.txt").read_text()
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
    pinned = [line for line in text.splitlines() if line and line[0].isalpha()]
    assert all("==" in line for line in pinned)
    assert text.count("--hash=sha256:") >= len(pinned)


def test_the_lock_has_every_dependency_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    locked = {
        line.split("==")[0].split("[")[0]
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if line and line[0].isalpha()
    }
    names = {distribution(entry) for entry in wanted}
    assert names <= locked


def distribution(requirement: str) -> str:
    """The distribution's name at the beginning of a requirement."""
    end = next(
        (place for place, sign in enumerate(requirement) if not (sign.isalnum() or sign in "-_.")), None
    )
    return requirement[:end].lower().replace("_", "-")
