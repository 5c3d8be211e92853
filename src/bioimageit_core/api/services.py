"""The services that a configuration chooses, made when they are first used."""

from __future__ import annotations

import functools
import logging
import os
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.config import Config, ConfigAccess
from bioimageit_core.core.exceptions import UnsupportedError
from bioimageit_core.core.logs import start_log
from bioimageit_core.core.observer import Observable, Observer
from bioimageit_core.plugins.data_factory import metadataServices
from bioimageit_core.plugins.runners_factory import runnerServices
from bioimageit_core.plugins.tools_factory import toolsServices

if TYPE_CHECKING:
    from bioimageit_core.core.formats import FormatTable
    from bioimageit_core.plugins.contracts import DataService, RunnerService, ToolsService

__all__ = ["Services"]

logger = logging.getLogger(__name__)

_REGISTRIES = {"metadata": metadataServices, "process": toolsServices, "runner": runnerServices}


class Services(Observable):
    """A configuration, the format table and the three services that it chooses.

    Attributes
    ----------
    config
        What the user has configured.
    """

    def __init__(self, config_file: str = "", debug: bool = True, log: bool = True) -> None:
        super().__init__()
        self.config = Config(config_file)
        ConfigAccess.use(self.config)  # published plugins read it there
        if debug:
            self.add_observer(Observer(debug))
        if log:
            self._stop_log: Callable[[], Any] = weakref.finalize(
                self, start_log(self.config.log_dir, self.config.mask, debug=debug)
            )
        else:
            self._stop_log = bool

    def connect(self) -> None:
        """Check that the configured plugins are installed; nothing is imported, opened or reached yet.

        Raises
        ------
        PluginNotFoundError
            The configuration names a service that no installed plugin has.
        """
        for section, registry in _REGISTRIES.items():
            registry.check_name(self.config.service_name(section))
        self._tell_formats()

    def close(self) -> None:
        """End the log; whatever is used afterwards works, but is no longer logged."""
        self._stop_log()

    @functools.cached_property
    def formats(self) -> FormatTable:
        """The formats that data may have.

        Raises
        ------
        ConfigError
            The configured table cannot be read.
        """
        from bioimageit_core.core.formats import load_formats

        return load_formats(self.config.formats_file)

    @functools.cached_property
    def data_service(self) -> DataService:
        """Where experiments are kept.

        Raises
        ------
        PluginError
            The plugin cannot be used.
        """
        service = self._make("metadata")
        if self.config.formats_file and hasattr(service, "use_formats"):
            service.use_formats(self.formats)
        if hasattr(service, "act_for"):
            service.act_for(self.config.user_name)
        return service  # type: ignore[no-any-return]

    @functools.cached_property
    def tools_service(self) -> ToolsService:
        """Where the descriptions of tools are.

        Raises
        ------
        PluginError
            The plugin cannot be used.
        """
        return self._make("process")  # type: ignore[no-any-return]

    @functools.cached_property
    def runner_service(self) -> RunnerService:
        """What executes commands.

        Raises
        ------
        PluginError
            The plugin cannot be used.
        """
        return self._make("runner")  # type: ignore[no-any-return]

    def runner_named(self, name: str) -> RunnerService:
        """Give the runner of a name: the configured one if it has that name, else one without options.

        Raises
        ------
        PluginError
            There is no such plugin, or it cannot be used.
        """
        from bioimageit_core.plugins.guard import guard

        if name == self.config.service_name("runner"):
            return self.runner_service
        return guard("runner", name, runnerServices.get(name), self.config.mask)  # type: ignore[no-any-return]

    def _make(self, section: str) -> Any:
        from bioimageit_core.plugins.guard import guard

        registry = _REGISTRIES[section]
        name = self.config.service_name(section)
        service = registry.get(name, **self.config.service_options(section))
        return guard(registry.kind, name, service, self.config.mask)

    def _find(self, method: str, **wanted: Any) -> tuple[Callable[..., Any], dict[str, Any]]:
        """Find a method of the data service, and those of the keyword arguments that the caller gave a value.

        Raises
        ------
        UnsupportedError
            The service has no such method, or it knows no such argument.
        """
        from bioimageit_core.plugins.structure import accepts

        plugin = self._name_of_service("metadata")
        function = getattr(self.data_service, method, None)
        if function is None:
            raise UnsupportedError(plugin, method)
        given = {keyword: value for keyword, value in wanted.items() if value is not None}
        for keyword, value in given.items():
            if not accepts(function, keyword):
                raise UnsupportedError(plugin, f"{method} with {keyword}={value!r}")
        return function, given

    def _name_of_service(self, section: str) -> str:
        return f"{_REGISTRIES[section].kind} plugin {self.config.service_name(section)!r}"

    def default_workspace(self) -> str:
        """Say where experiments are when the caller does not; the default place is for files alone."""
        if self.config.has_own_workspace or self.config.service_name("metadata") == "LOCAL":
            return self.config.workspace
        return ""

    def _tell_formats(self) -> None:
        # published plugins read the table from this separate package
        from importlib.util import find_spec

        if find_spec("bioimageit_formats") is None:
            return
        from bioimageit_core.core.formats import DEFAULT_FORMATS_FILE
        from bioimageit_core.plugins.discovery import Broken, attempt

        path = self.config.formats_file or DEFAULT_FORMATS_FILE
        if os.path.isfile(path) and isinstance(told := attempt(lambda: _give_formats(path)), Broken):
            logger.warning("the package bioimageit_formats does not take %s: %s", path, told.reason)


def _give_formats(path: str) -> None:
    from bioimageit_formats import FormatsAccess

    FormatsAccess(path)
