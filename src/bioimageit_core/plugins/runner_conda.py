"""The CONDA runner: tools in environments of conda packages, solved and installed in this process by py-rattler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bioimageit_core.containers import Tool
from bioimageit_core.plugins.conda_program import ProgramMaker
from bioimageit_core.plugins.conda_rattler import RattlerMaker
from bioimageit_core.plugins.environment_runner import EnvironmentRunner, as_list, clean_environment
from bioimageit_core.plugins.environments import Environment, Maker, Recipe
from bioimageit_core.plugins.tool_requirements import packages_of

__all__ = ["CondaRunnerService", "CondaRunnerServiceBuilder", "plugin_info"]

plugin_info = {"name": "CONDA", "type": "runner", "builder": "CondaRunnerServiceBuilder"}

DEFAULT_CHANNELS = ("conda-forge", "bioconda")


class CondaRunnerServiceBuilder:
    """Makes the service once and gives it ever after."""

    def __init__(self) -> None:
        self._instance: CondaRunnerService | None = None

    def __call__(
        self,
        env_dir: str = "",
        channels: Any = DEFAULT_CHANNELS,
        conda_dir: str = "",
        program: str = "",
        offline: bool = False,
        env: Mapping[str, str] | None = None,
        **_ignored: Any,
    ) -> CondaRunnerService:
        """Give the service; its options count the first time."""
        if self._instance is None:
            self._instance = CondaRunnerService(env_dir, as_list(channels), conda_dir, program, bool(offline), env)
        return self._instance


class CondaRunnerService(EnvironmentRunner):
    """Executes tools in environments of conda packages.

    Parameters
    ----------
    env_dir
        Where environments and downloaded packages are kept; empty for the user's cache.
    channels
        Names or URLs (``file://`` too) of the channels, the first before the others; those that a wrapper names come
        before them.
    conda_dir
        An installation of conda, mamba or micromamba that is to be used instead of py-rattler.
    program
        ``micromamba``, ``mamba`` or ``conda``: the one that is on the path (or in `conda_dir`) is to be used.
    offline
        Whether the network is left alone: only what was downloaded before is installed.
    env
        Environment variables that every command gets.
    """

    def __init__(
        self,
        env_dir: str = "",
        channels: Sequence[str] = DEFAULT_CHANNELS,
        conda_dir: str = "",
        program: str = "",
        offline: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(env_dir, env)
        self.channels = tuple(channels) or DEFAULT_CHANNELS
        self.conda_dir = conda_dir
        self.program = program
        self.offline = offline

    def recipe(self, tool: Tool) -> Recipe:
        specs: dict[str, None] = {}
        channels: dict[str, None] = {}
        for package in packages_of(tool):
            version = f"={package.version}" if package.version else f" {package.constraint}"
            specs[f"{package.name}{version}".rstrip()] = None
            channels.update(dict.fromkeys(package.channels))
        channels.update(dict.fromkeys(self.channels))
        return Recipe("conda", tuple(sorted(specs)), tuple(channels))

    def maker(self, tool: Tool, recipe: Recipe) -> Maker:
        what = f"tool {tool.fullname()!r}"
        if self.conda_dir or self.program:
            return ProgramMaker(recipe, what, self.conda_dir, self.program, self.offline)
        return RattlerMaker(recipe, what, self.environments.root, self.offline)

    def activated(self, environment: Environment) -> dict[str, str]:
        prefix = str(environment.prefix)
        return clean_environment(environment.prefix, {**environment.variables, "CONDA_PREFIX": prefix})
