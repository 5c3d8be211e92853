"""Conda packages solved and installed in this process, by py-rattler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.core.hashing import sha256_of_path
from bioimageit_core.plugins.conda_prefix import explicit_lock, is_conda_prefix, locked_packages, prefix_variables
from bioimageit_core.plugins.environments import Recipe

__all__ = ["RattlerMaker"]

T = TypeVar("T")
_SUFFIXES = (".conda", ".tar.bz2")


class RattlerMaker:
    """Makes one environment.

    Parameters
    ----------
    what
        Who needs it, for messages.
    root
        Where downloaded packages and indexes are kept.
    offline
        Whether only what was downloaded before may be used.
    """

    def __init__(self, recipe: Recipe, what: str, root: Path, offline: bool = False) -> None:
        self._recipe = recipe
        self._what = what
        self._root = root
        self._offline = offline
        self._records: list[Any] = []

    def solve(self, scratch: Path) -> str:
        rattler = _rattler()
        self._records = self._run(lambda: self._solve(rattler))
        return explicit_lock((record.url, _hex(record.sha256)) for record in self._records)

    def accepts(self, lock: str) -> bool:
        return lock.startswith("@EXPLICIT\n")

    def install(self, lock: str, prefix: Path) -> Mapping[str, str]:
        rattler = _rattler()
        _check_local(locked_packages(lock))
        records = self._records or [_record(rattler, url, sha256) for url, sha256 in locked_packages(lock)]
        self._run(lambda: self._install(rattler, records, prefix))
        return prefix_variables(prefix)

    def is_whole(self, prefix: Path) -> bool:
        return is_conda_prefix(prefix)

    async def _solve(self, rattler: Any) -> list[Any]:
        config = rattler.SourceConfig(cache_action="force-cache-only" if self._offline else "cache-or-fetch")
        virtual = [package.into_generic() for package in rattler.VirtualPackage.detect()]
        found: list[Any] = await rattler.solve(
            [rattler.Channel(channel) for channel in self._recipe.circumstances],
            [rattler.MatchSpec(spec) for spec in self._recipe.requirements],
            gateway=rattler.Gateway(cache_dir=self._root / "repodata", default_config=config),
            platforms=[rattler.Subdir.current(), rattler.Subdir("noarch")],
            virtual_packages=virtual,
        )
        return found

    async def _install(self, rattler: Any, records: list[Any], prefix: Path) -> None:
        await rattler.install(
            records,
            target_prefix=prefix,
            cache_dir=self._root / "packages",
            execute_link_scripts=False,
            show_progress=False,
        )

    def _run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do asynchronous work in a thread of its own: the caller's may have a loop, as in a notebook."""
        try:
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(lambda: asyncio.run(work())).result()
        except Exception as error:
            said = " ".join(str(error).split()) or type(error).__name__
            channels = ", ".join(self._recipe.circumstances)
            raise RunnerExecError(
                f"{self._what}: its environment of {', '.join(self._recipe.requirements)} cannot be made from the "
                f"channels {channels}{' (offline)' if self._offline else ''}: {said[:1500]}"
            ) from error


def _rattler() -> ModuleType:
    try:
        import rattler
    except ImportError as error:
        raise RunnerExecError(
            "runner CONDA: py-rattler is not installed (pip install 'bioimageit-core[conda]'); or configure conda_dir, "
            "to use an installed conda, mamba or micromamba"
        ) from error
    module: ModuleType = rattler
    return module


def _check_local(packages: Iterable[tuple[str, str]]) -> None:
    """Compare packages of local channels with their lock; py-rattler does so only for what it downloads."""
    for url, sha256 in packages:
        if not url.startswith("file://") or not sha256:
            continue
        path = url2pathname(urlsplit(url).path)
        try:
            found = sha256_of_path(path)
        except OSError as error:
            raise RunnerExecError(f"package {path} cannot be read: {error.strerror}") from error
        if found != sha256:
            raise RunnerExecError(f"package {path} is not the one of the lock: its SHA-256 is {found}, not {sha256}")


def _record(rattler: Any, url: str, sha256: str) -> Any:
    """Make the record of a package that a lock names."""
    channel, subdir, file_name = url.rsplit("/", 2)
    stem = next((file_name.removesuffix(suffix) for suffix in _SUFFIXES if file_name.endswith(suffix)), "")
    parts = stem.rsplit("-", 2)
    if len(parts) != 3:
        raise RunnerExecError(f"{url!r} in a lock names no conda package")
    name, version, build = parts
    number = build.rpartition("_")[2]
    package = rattler.PackageRecord(
        name,
        version,
        rattler.BuildString(build),
        int(number) if number.isdigit() else 0,
        subdir,
        None,
        None,
        sha256=bytes.fromhex(sha256),
    )
    return rattler.RepoDataRecord(package, file_name, url, channel)


def _hex(digest: bytes | None) -> str:
    return digest.hex() if digest else ""
