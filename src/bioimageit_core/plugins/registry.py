"""The plugin engine: services by name, made when they are asked for, checked when they are chosen.

Where several plugins have one name, what this process registered goes before what is built in, that before entry
points, and those before modules found by name; of equals the first in alphabetical order. Who loses is listed with the
reason.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bioimageit_core import __version__
from bioimageit_core.core.exceptions import BioImageITError, PluginContractError, PluginError, PluginNotFoundError
from bioimageit_core.core.secrets import find_secrets, mask
from bioimageit_core.plugins import discovery
from bioimageit_core.plugins.discovery import Broken, Candidate, attempt
from bioimageit_core.plugins.status import PluginReport, PluginStatus, judge

__all__ = ["PluginReport", "PluginStatus", "ServiceRegistry", "check_plugin", "list_plugins"]

_KNOWN = {
    "data": {"OMERO": "bioimageit-omero", "SQL": "bioimageit-sql", "HTTP": "bioimageit-http"},
    "runner": {"DASK": "bioimageit-dask", "BATCH": "bioimageit-batch"},
    "tools": {},
}
_REGISTERED = "registered by this process"
_SECTIONS = {"data": "metadata", "runner": "runner", "tools": "process"}  # of the configuration


class ServiceRegistry:
    """The services of one kind.

    Parameters
    ----------
    kind
        ``'data'``, ``'runner'`` or ``'tools'``.
    builtins
        Where the builders of the built-in services are, as ``module:class``.
    """

    def __init__(self, kind: str, builtins: Mapping[str, str]) -> None:
        self.kind = kind
        self._builtins: dict[str, Candidate] = {}
        for name, target in builtins.items():
            module, _, class_ = target.partition(":")
            self._builtins[name] = Candidate(module, name, kind, class_, f"bioimageit-core {__version__}")
        self._registered: dict[str, Any] = {}
        self._builders: dict[tuple[int, str], tuple[Any, Any]] = {}
        self._lock = threading.RLock()

    @property
    def builtins(self) -> list[Candidate]:
        """The built-in plugins, by name."""
        return [self._builtins[name] for name in sorted(self._builtins)]

    @property
    def registered(self) -> list[str]:
        """Names of what this process registered."""
        return sorted(self._registered)

    def register_builder(self, name: str, builder: Any) -> None:
        """Register a service: `builder` is called with its configuration, as keyword arguments, and returns it."""
        with self._lock:
            self._registered[name] = builder() if isinstance(builder, type) else builder

    def unregister_builder(self, name: str) -> None:
        """Undo `register_builder`; nothing happens if there is no such service."""
        with self._lock:
            self._registered.pop(name, None)

    def get(self, name: str, /, **config: Any) -> Any:
        """Return a service; the same one for the same configuration, as far as its builder keeps to that.

        Parameters
        ----------
        config
            Goes to the service's builder.

        Raises
        ------
        PluginNotFoundError
            No plugin of that name is installed; the message lists those that are, and those that are broken.
        PluginContractError
            The service lacks methods, or has some that cannot be called as the contract calls them.
        PluginError
            The plugin cannot be imported, or its builder fails.
        """
        from bioimageit_core.plugins.structure import check_service

        with self._lock:
            service = self._build(name, self._get_builder(name, config), config)
        check_service(self.kind, name, service)
        return service

    def check_name(self, name: str) -> None:
        """Check that a plugin of that name is installed, importing as little as that takes.

        Raises
        ------
        PluginNotFoundError
            None is.
        """
        if name not in self._registered:
            self._find(name)

    def _find(self, name: str) -> Candidate:
        if name in self._builtins:
            return self._builtins[name]
        # those that tell their name without being imported come first
        candidates = [found for found in _find_installed(self.kind) if isinstance(found, Candidate)]
        for candidate in candidates:
            if (candidate.name, candidate.kind) == (name, self.kind):
                return candidate
        for candidate in candidates:
            if candidate.is_declared and candidate.attribute:
                continue
            if candidate.is_declared or not candidate.name:
                loaded = discovery.load(candidate)
                if isinstance(loaded, tuple) and (loaded[0].name, loaded[0].kind) == (name, self.kind):
                    return candidate
        raise self._not_found(name)

    def _not_found(self, name: str) -> PluginNotFoundError:
        everything = list_plugins()
        known = [status for status in everything if status.kind in (self.kind, "")]
        return PluginNotFoundError(
            self.kind,
            name,
            sorted({status.name for status in known if status.is_ok}),
            [f"{status.name} ({status.reason})" for status in known if not status.is_ok],
            self._hint(name, everything),
        )

    def _hint(self, name: str, everything: Iterable[PluginStatus]) -> str:
        """Say what may have been meant: a distribution that is known, another kind's plugin, or a module's plugin."""
        package = _KNOWN[self.kind].get(name.upper())
        if package:
            return f"pip install {package}"
        for status in everything:
            if not status.is_ok:
                continue
            if status.name == name:
                return f"write it under {_SECTIONS[status.kind]!r}, because {name!r} is a {status.kind} plugin"
            if status.kind == self.kind and (status.module == name or status.name.lower() == name.lower()):
                return f"write {status.name!r}"
        return ""

    def _get_builder(self, name: str, config: Mapping[str, Any]) -> Any:
        if name in self._registered:
            return self._registered[name]
        candidate = self._find(name)
        what = f"{self.kind} plugin {name!r} ({candidate.origin})"
        loaded = discovery.load(candidate) or Broken("it has no plugin_info")
        if isinstance(loaded, Broken):
            raise PluginError(f"{what} is broken: {loaded.reason}") from loaded.error
        builder = loaded[1]
        # a builder returns always the same instance: another configuration needs another builder
        key = (id(builder), _as_text(config))
        if key not in self._builders:
            made = attempt(builder) if isinstance(builder, type) else builder
            if isinstance(made, Broken):
                raise PluginError(f"{what} is broken: its builder cannot be made: {made.reason}") from made.error
            self._builders[key] = (builder, made)
        return self._builders[key][1]

    def _build(self, name: str, builder: Any, config: Mapping[str, Any]) -> Any:
        service = attempt(lambda: builder(**config))
        if not isinstance(service, Broken):
            return service
        if isinstance(service.error, BioImageITError):
            raise service.error
        given = f"configured with {', '.join(config)}" if config else "without configuration"
        reason = mask(service.reason, find_secrets(config))
        raise PluginError(f"{self.kind} plugin {name!r}, {given}, does not start: {reason}") from service.error


def list_plugins(kind: str | None = None) -> list[PluginStatus]:
    """List the plugins that are registered, built in or installed, the broken ones with the reason.

    Unlike choosing a plugin this imports all of them.

    Parameters
    ----------
    kind
        ``'data'``, ``'runner'`` or ``'tools'``; None for all. What is broken and cannot tell its kind is always listed.
    """
    statuses = (report.status for report in _report_all())
    return [status for status in statuses if kind in (None, status.kind) or not status.kind]


def check_plugin(name: str, kind: str | None = None, config: Mapping[str, Any] | None = None) -> PluginReport:
    """Check one plugin against the contract of its kind.

    Its service is made only where a configuration is given, or where its methods cannot be seen otherwise.

    Parameters
    ----------
    name
        Of the plugin, or of its module.

    Raises
    ------
    PluginNotFoundError
        There is no such plugin.
    PluginError
        Plugins of several kinds have the name, and `kind` does not say which.
    """
    reports = list(_report_all())
    named = [found for found in reports if name in (found.status.name, found.status.module)]
    matching = [found for found in named if kind in (None, found.status.kind) or not found.status.kind]
    if not matching:
        known = [status for status in (found.status for found in reports) if kind in (None, status.kind)]
        installed = sorted({status.name for status in known if status.is_ok})
        broken = sorted({status.name for status in known if not status.is_ok})
        raise PluginNotFoundError(kind or "data, runner or tools", name, installed, broken)
    kinds = sorted({found.status.kind for found in matching})
    if len(kinds) > 1:
        raise PluginError(f"{name!r} names plugins of several kinds: say which ({' or '.join(kinds)})")
    report = matching[0]
    if report.is_ok and (config is not None or not report.abilities):
        return _check_service_of(report, config)
    return report


def _check_service_of(report: PluginReport, config: Mapping[str, Any] | None) -> PluginReport:
    from bioimageit_core.plugins.structure import abilities

    status = report.status
    try:
        service = _registries()[status.kind].get(status.name, **(config or {}))
    except PluginContractError as error:
        return PluginReport(status.broken(str(error)), error.problems)
    except BioImageITError as error:
        hint = "" if config is not None else "; a configuration is needed to see its methods"
        return PluginReport(status, (f"{error}{hint}",))
    return PluginReport(status, (), abilities(service, status.kind))


def _report_all() -> Iterator[PluginReport]:
    owners: dict[tuple[str, str], PluginStatus] = {}
    declared: set[str] = set()
    for report in _judge_all():
        status = report.status
        owner = owners.setdefault((status.kind, status.name), status)
        if owner is not status and owner.module == status.module:
            continue  # one plugin, found in two ways
        if not status.kind and status.module in declared:
            continue
        declared.add(status.module)
        if owner is not status and status.is_ok:
            who = f"the {status.kind} plugin of {owner.origin}"
            reason = f"shadowed: {who} has the name {status.name!r} already"
            report = replace(report, status=status.broken(reason), problems=(reason,))
        yield report


def _judge_all() -> Iterator[PluginReport]:
    for registry in _registries().values():
        for name in registry.registered:
            yield PluginReport(PluginStatus(name, registry.kind, _REGISTERED))
        for candidate in registry.builtins:
            report = judge(candidate, builtin=True)
            if report is not None:
                yield report
    for found in _find_installed():
        if isinstance(found, Candidate):
            report = judge(found if found.is_declared else discovery.with_distribution(found))
            if report is not None:
                yield report
        else:
            reason = f"what it declares cannot be read: {found[1].reason}"
            yield PluginReport(PluginStatus(found[0], "", found[0], "broken", reason), (reason,))


def _find_installed(kind: str = "") -> Iterator[Candidate | tuple[str, Broken]]:
    declared = list(discovery.find_entry_points(kind))
    yield from (found for found in declared if not isinstance(found, Candidate))
    candidates = [found for found in declared if isinstance(found, Candidate)]
    yield from sorted(candidates, key=lambda found: (found.module, found.name))
    yield from discovery.find_modules()


def _registries() -> dict[str, ServiceRegistry]:
    # here, because the factories are made of this module
    from bioimageit_core.plugins.data_factory import metadataServices
    from bioimageit_core.plugins.runners_factory import runnerServices
    from bioimageit_core.plugins.tools_factory import toolsServices

    return {registry.kind: registry for registry in (metadataServices, runnerServices, toolsServices)}


def _as_text(config: Mapping[str, Any]) -> str:
    return json.dumps(config, sort_keys=True, default=repr)
