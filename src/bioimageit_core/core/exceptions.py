"""Everything that the library raises.

Each error carries its facts as attributes, passes them to ``Exception.__init__`` so that it pickles, and says in one or
two lines what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = [
    "BioImageITError",
    "ConfigError",
    "ConflictError",
    "DataQueryError",
    "DataServiceError",
    "DocumentError",
    "FormatError",
    "InvalidNameError",
    "JobFailedError",
    "NotFoundError",
    "PairingError",
    "PluginContractError",
    "PluginError",
    "PluginNotFoundError",
    "RunnerExecError",
    "ToolNotFoundError",
    "ToolsServiceError",
    "UnknownNameError",
    "UnsupportedError",
]

_SHOWN_BROKEN = 3
_SHOWN_REASON = 100


class BioImageITError(Exception):
    """The root of all errors of this library."""


class ConfigError(BioImageITError, ValueError):
    """A configuration that cannot be used."""


class FormatError(ConfigError):
    """A format that is not known, or a name that tells none."""


class PluginError(ConfigError):
    """A plugin that cannot be used."""


class PluginNotFoundError(PluginError, LookupError):
    """No plugin of that name is installed."""

    def __init__(
        self, kind: str, name: str, installed: Sequence[str] = (), broken: Sequence[str] = (), hint: str = ""
    ) -> None:
        super().__init__(kind, name, tuple(installed), tuple(broken), hint)
        self.kind = kind
        self.name = name
        self.installed = tuple(installed)
        self.broken = tuple(broken)
        self.hint = hint

    def __str__(self) -> str:
        facts = [f"installed: {', '.join(self.installed) or 'none'}"]
        if self.broken:
            facts.append(f"broken: {self._few_broken()}")
        if self.hint:
            facts.append(f"to get it: {self.hint}")
        return f"no {self.kind} plugin {self.name!r}: not installed ({'; '.join(facts)})"

    def _few_broken(self) -> str:
        """Name the broken ones in a line or two: those of the most similar names, and how to see the others."""
        import difflib

        wanted = self.name.lower()

        def likeness(told: str) -> float:
            return difflib.SequenceMatcher(None, wanted, told.partition(" (")[0].lower()).ratio()

        ranked = sorted(self.broken, key=likeness, reverse=True)
        shown = [each if len(each) <= _SHOWN_REASON else f"{each[:_SHOWN_REASON]}…" for each in ranked[:_SHOWN_BROKEN]]
        others = len(ranked) - len(shown)
        more = [f"and {others} more, which 'bioimageit plugins list' shows"] if others else []
        return ", ".join([*shown, *more])


class PluginContractError(PluginError, TypeError):
    """A plugin lacks a method of the contract, or has one that cannot be called as the contract calls it."""

    def __init__(self, kind: str, name: str, problems: Sequence[str]) -> None:
        super().__init__(kind, name, tuple(problems))
        self.kind = kind
        self.name = name
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return f"{self.kind} plugin {self.name!r} {self.reason}"

    @property
    def reason(self) -> str:
        """What is wrong, in a line: the first problems, and how to see the others."""
        first, others = self.problems[:2], len(self.problems) - 2
        more = f"; and {others} more: 'bioimageit plugins check {self.name}' lists them" if others > 0 else ""
        return f"does not keep the contract: {'; '.join(first)}{more}"


class DataServiceError(BioImageITError):
    """A data service cannot do what it was asked for."""


class NotFoundError(DataServiceError, LookupError):
    """Nothing is stored at a URI."""

    def __init__(self, kind: str, uri: str) -> None:
        super().__init__(kind, uri)
        self.kind = kind
        self.uri = uri

    def __str__(self) -> str:
        return f"no {self.kind} at {self.uri!r}"


class UnknownNameError(NotFoundError):
    """Nothing has the name that was given; the message names what is like it, or what there is."""

    def __init__(self, kind: str, name: str, place: str, names: Sequence[str]) -> None:
        Exception.__init__(self, kind, name, place, tuple(names))
        self.kind = kind
        self.uri = name
        self.place = place
        self.names = tuple(names)

    def __str__(self) -> str:
        import difflib

        similar = difflib.get_close_matches(self.uri, self.names, 3, 0.5)
        if similar:
            hint = f"did you mean {' or '.join(map(repr, similar))}?"
        elif self.names:
            more = ", …" if len(self.names) > 5 else ""
            hint = f"it has {', '.join(self.names[:5])}{more}"
        else:
            hint = "it has none"
        return f"no {self.kind} {self.uri!r} in {self.place}: {hint}"


class ConflictError(DataServiceError):
    """Something else is already stored under a name, or was changed by another writer."""


class UnsupportedError(DataServiceError, NotImplementedError):
    """A service does not have an optional ability."""

    def __init__(self, service: str, ability: str) -> None:
        super().__init__(service, ability)
        self.service = service
        self.ability = ability

    def __str__(self) -> str:
        return f"{self.service} cannot {self.ability}"


class DocumentError(DataServiceError, ValueError):
    """A stored document that cannot be read: cut off, of the wrong type, or from a newer version.

    Attributes
    ----------
    uri
        The document.
    field
        Where in it, as a path of keys (``$.common.url``); empty for the whole.
    """

    def __init__(self, uri: str, reason: str, field: str = "") -> None:
        super().__init__(uri, reason, field)
        self.uri = uri
        self.reason = reason
        self.field = field

    def __str__(self) -> str:
        return f"{self.uri}: {f'{self.field}: ' if self.field else ''}{self.reason}"


class InvalidNameError(DataServiceError, ValueError):
    """A name that cannot be stored safely everywhere."""

    def __init__(self, kind: str, name: str, reason: str) -> None:
        super().__init__(kind, name, reason)
        self.kind = kind
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        shown = self.name if len(self.name) <= 60 else f"{self.name[:57]}..."
        return f"{self.kind} name {shown!r}: {self.reason}"


class DataQueryError(BioImageITError, ValueError):
    """A query that cannot be understood.

    Attributes
    ----------
    position
        Offset of the mistake in `query`, in characters from 0; -1 where none can be said.
    """

    def __init__(self, message: str, query: str = "", position: int = -1) -> None:
        super().__init__(message, query, position)
        self.message = message
        self.query = query
        self.position = position

    def __str__(self) -> str:
        if self.position < 0:
            return self.message
        start = max(0, self.position - 60)
        shown = "".join(c if c.isprintable() else " " for c in self.query[start : self.position + 40])
        return f"{self.message}\n  {shown}\n  {' ' * (self.position - start)}^"


class ToolsServiceError(BioImageITError):
    """A tools service cannot do what it was asked for, or a wrapper cannot be read."""


class ToolNotFoundError(ToolsServiceError, LookupError):
    """No tool of that name is known."""

    def __init__(self, fullname: str, similar: Sequence[str] = ()) -> None:
        super().__init__(fullname, tuple(similar))
        self.fullname = fullname
        self.similar = tuple(similar)

    def __str__(self) -> str:
        hint = (
            f"did you mean {' or '.join(self.similar)}?"
            if self.similar
            else "'bioimageit tools list' shows those known"
        )
        return f"no tool {self.fullname!r}: {hint}"


class PairingError(BioImageITError, ValueError):
    """Selections of several inputs cannot be paired by their common origin.

    Attributes
    ----------
    lacking
        Name of each input, with the names of the data that have no partner in it.
    """

    def __init__(self, lacking: dict[str, list[str]], reason: str = "") -> None:
        super().__init__(lacking, reason)
        self.lacking = lacking
        self.reason = reason

    def __str__(self) -> str:
        parts = []
        for name, items in self.lacking.items():
            more = f" and {len(items) - 10} more" if len(items) > 10 else ""
            parts.append(f"input {name!r} has no partner for {', '.join(items[:10])}{more}")
        return "; ".join([*([self.reason] if self.reason else []), *parts])


class RunnerExecError(BioImageITError):
    """A command failed.

    Attributes
    ----------
    command
        The argv of the command.
    exit_status
        Its exit status; negative for a signal, None where it did not start.
    stderr
        The end of what it wrote to its standard error.
    """

    def __init__(
        self, message: str, command: Sequence[str] = (), exit_status: int | None = None, stderr: str = ""
    ) -> None:
        super().__init__(message, tuple(command), exit_status, stderr)
        self.message = message
        self.command = tuple(command)
        self.exit_status = exit_status
        self.stderr = stderr

    def __str__(self) -> str:
        return self.message


class JobFailedError(RunnerExecError):
    """Items of a job failed; those that did not are recorded.

    Attributes
    ----------
    run
        The run's container, with all that succeeded recorded under it; None where nothing was recorded.
    failures
        Name of each item that failed, and why.
    done
        How many items succeeded.
    """

    def __init__(self, failures: dict[str, Exception], done: int, run: Any = None) -> None:
        Exception.__init__(self, failures, done, run)
        self.failures = failures
        self.done = done
        self.run = run
        first = next(iter(failures.values()), None)
        self.message = ""
        self.command = getattr(first, "command", ())
        self.exit_status = getattr(first, "exit_status", None)
        self.stderr = getattr(first, "stderr", "")

    def __str__(self) -> str:
        total = len(self.failures) + self.done
        shown = "; ".join(f"{name}: {error}" for name, error in list(self.failures.items())[:3])
        more = f"; and {len(self.failures) - 3} more" if len(self.failures) > 3 else ""
        return f"{len(self.failures)} of {total} items failed: {shown}{more}"
