"""A service whose foreign errors become ours: what the API and jobs hold instead of a plugin's bare service."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from bioimageit_core.core.exceptions import (
    BioImageITError,
    DataServiceError,
    RunnerExecError,
    ToolsServiceError,
    UnsupportedError,
)
from bioimageit_core.plugins.structure import takes

__all__ = ["GuardedService", "guard"]

_ERRORS: dict[str, type[BioImageITError]] = {
    "data": DataServiceError,
    "runner": RunnerExecError,
    "tools": ToolsServiceError,
}
_RUNNER_METHODS = {"set_up": 2, "exec": 3, "tear_down": 2}


class GuardedService:
    """Stand for a plugin's service: the same methods, but everything that they raise is a `BioImageITError`.

    Runners that know no ``job_id`` can be called with one. Abilities show as they do on the service itself.
    """

    def __init__(self, kind: str, name: str, service: Any, mask: Callable[[str], str]) -> None:
        self._kind = kind
        self._name = name
        self._service = service
        self._mask = mask

    @property
    def unguarded(self) -> Any:
        """The plugin's own service."""
        return self._service

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        return getattr(self._service, attribute)

    def __repr__(self) -> str:
        return f"<{self._kind} service {self._name}>"

    def _fail(self, method: str, error: BaseException) -> BioImageITError:
        if isinstance(error, NotImplementedError):
            return UnsupportedError(f"{self._kind} plugin {self._name!r}", method)
        text = self._mask(" ".join(str(error).split()))
        what = f"{type(error).__name__}: {text}" if text else type(error).__name__
        return _ERRORS[self._kind](f"{self._kind} plugin {self._name!r} failed in {method}: {what}")

    def _wrap(self, method: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def guarded(*args: Any, **keywords: Any) -> Any:
            try:
                result = function(*args, **keywords)
            except (BioImageITError, KeyboardInterrupt):
                raise
            except (Exception, SystemExit) as error:
                raise self._fail(method, error) from error
            return self._guard_items(method, result) if inspect.isgenerator(result) else result

        return guarded

    def _guard_items(self, method: str, items: Iterator[Any]) -> Iterator[Any]:
        try:
            yield from items
        except (BioImageITError, KeyboardInterrupt, GeneratorExit):
            raise
        except (Exception, SystemExit) as error:
            raise self._fail(method, error) from error


def guard(kind: str, name: str, service: Any, mask: Callable[[str], str] = str) -> Any:
    """Wrap a service so that it raises nothing but errors of this library.

    Parameters
    ----------
    mask
        Takes secrets out of the messages of foreign errors.
    """
    if isinstance(service, GuardedService):
        return service
    # a class of its own, because protocols look for attributes without calling __getattr__
    forwarded = {
        attribute: property(_forward(attribute))
        for attribute in dir(type(service))
        if not attribute.startswith("_") and isinstance(inspect.getattr_static(type(service), attribute), property)
    }
    guarded = type("GuardedService", (GuardedService,), forwarded)(kind, name, service, mask)
    for attribute in dir(service):
        if attribute.startswith("_") or attribute in forwarded:
            continue
        found = getattr(service, attribute, None)
        if inspect.isroutine(found) or isinstance(found, functools.partial):
            function = _without_job_id(kind, attribute, found)
            vars(guarded)[attribute] = guarded._wrap(attribute, function)  # noqa: SLF001
    return guarded


def _forward(attribute: str) -> Callable[[GuardedService], Any]:
    return lambda guarded: getattr(guarded.unguarded, attribute)


def _without_job_id(kind: str, method: str, function: Callable[..., Any]) -> Callable[..., Any]:
    count = _RUNNER_METHODS.get(method, 0) if kind == "runner" else 0
    if not count or takes(function, count):
        return function
    return lambda *args: function(*args[: count - 1])
