"""What is known of one plugin: where it comes from, and whether it can be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bioimageit_core.core.exceptions import PluginContractError
from bioimageit_core.plugins.discovery import Broken, Candidate, load

__all__ = ["PluginReport", "PluginStatus", "judge"]


@dataclass(frozen=True)
class PluginStatus:
    """One plugin, and whether it can be used.

    Attributes
    ----------
    kind
        ``'data'``, ``'runner'`` or ``'tools'``; empty where a broken plugin cannot tell.
    origin
        The module, or the distribution and its version, that it comes from.
    state
        ``'ok'`` or ``'broken'``.
    reason
        Why it is broken.
    builtin
        Whether it comes with this package.
    module
        What is imported for it; empty for a builder that this process registered.
    """

    name: str
    kind: str
    origin: str
    state: str = "ok"
    reason: str = ""
    builtin: bool = False
    module: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether it can be used, as far as one sees without using it."""
        return self.state == "ok"

    def broken(self, reason: str) -> PluginStatus:
        """Return the same plugin, broken."""
        return replace(self, state="broken", reason=reason)


@dataclass(frozen=True)
class PluginReport:
    """What a check of one plugin found.

    Attributes
    ----------
    problems
        What keeps it from being used, with the mend; empty if nothing does.
    abilities
        The optional abilities that it has or lacks; empty where only a configured service would show them.
    """

    status: PluginStatus
    problems: tuple[str, ...] = ()
    abilities: Mapping[str, bool] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


def judge(candidate: Candidate, *, builtin: bool = False) -> PluginReport | None:
    """Import a candidate and look at it from outside, without making its service; None if it is no plugin."""
    # what the contracts need is imported here: importing a factory is to cost nothing
    from bioimageit_core.plugins import structure

    status = PluginStatus(
        candidate.name or candidate.module, candidate.kind, candidate.origin, builtin=builtin, module=candidate.module
    )
    loaded = load(candidate)
    if loaded is None:
        return None
    if isinstance(loaded, Broken):
        return PluginReport(status.broken(loaded.reason), (loaded.reason,))
    info, builder = loaded
    status = replace(status, name=info.name, kind=info.kind)
    unusable = tuple(structure.find_builder_problems(builder))
    if unusable:
        return PluginReport(status.broken(unusable[0]), unusable)
    class_ = structure.find_service_class(info.kind, builder)
    if class_ is None:
        return PluginReport(status)
    problems = tuple(structure.find_class_problems(info.kind, class_))
    if problems:
        status = status.broken(f"it {PluginContractError(info.kind, info.name, problems).reason}")
    return PluginReport(status, problems, structure.abilities(class_, info.kind))
