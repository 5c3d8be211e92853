"""Whether a service can be called as the contract calls it; plugins need not inherit from the contract."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from bioimageit_core.core.exceptions import PluginContractError
from bioimageit_core.plugins import abilities as optional
from bioimageit_core.plugins import contracts

__all__ = [
    "ABILITIES",
    "CONTRACTS",
    "abilities",
    "accepts",
    "check_service",
    "find_builder_problems",
    "find_class_problems",
    "find_problems",
    "find_service_class",
    "takes",
]

CONTRACTS: dict[str, type] = {
    "data": contracts.DataService,
    "runner": contracts.RunnerService,
    "tools": contracts.ToolsService,
}
ABILITIES: dict[str, tuple[type, ...]] = {
    "data": (
        optional.ListsRuns,
        optional.CreatesDataUri,
        optional.CreatesManyData,
        optional.GetsDataUri,
        optional.DownloadsData,
        optional.ViewsData,
        optional.CleansUp,
        optional.QueriesData,
        optional.UpdatesRun,
        optional.AnnotatesData,
        optional.ReceivesData,
        optional.RemembersContent,
        optional.ChecksExperiments,
        optional.KeepsHistory,
        optional.DeletesData,
        optional.PagesData,
        optional.ListsValues,
    ),
    "runner": (
        optional.RunsCommands,
        optional.SubmitsCommands,
        optional.SharesDirectory,
        optional.StagesItems,
        optional.LocksEnvironment,
    ),
    "tools": (),
}

# what plugins in the wild may lack at the end of a method's arguments
_TOLERATED = {"runner": frozenset({"job_id"})}
_ABSENT = object()


def check_service(kind: str, name: str, service: Any) -> None:
    """Check that `service` keeps the contract of its kind.

    Raises
    ------
    PluginContractError
        It lacks methods, or has some that cannot be called positionally with the contract's arguments.
    """
    problems = find_problems(kind, service)
    if problems:
        raise PluginContractError(kind, name, problems)


def find_problems(kind: str, service: Any) -> list[str]:
    """Say what keeps `service` from being called as the contract calls it: one line a method, with the mend."""
    if service is None or inspect.isclass(service):
        return [f"its builder returned {service!r}: return the service, an object with the contract's methods"]
    problems = []
    for method, expected in _contract_methods(kind).items():
        try:
            found = getattr(service, method, _ABSENT)
        except Exception as error:  # noqa: BLE001 - a property of the plugin's that breaks
            problems.append(f"{method} cannot be read ({type(error).__name__}: {error})")
            continue
        problems += _find_method_problems(kind, method, found, expected)
    return problems


def find_class_problems(kind: str, class_: type) -> list[str]:
    """Say the same of a service's class, without making a service; what only an instance shows is not judged."""
    if hasattr(class_, "__getattr__"):
        return []
    made_later = set(getattr(getattr(vars(class_).get("__init__"), "__code__", None), "co_names", ()))
    problems = []
    for method, expected in _contract_methods(kind).items():
        found = inspect.getattr_static(class_, method, _ABSENT)
        if found is _ABSENT and method in made_later:
            continue
        problems += _find_method_problems(kind, method, _bind(found), expected)
    return problems


def find_builder_problems(builder: Any) -> list[str]:
    """Say what keeps a builder from being made and called as the factories do it."""
    if not inspect.isclass(builder):
        return []
    if not takes(builder, 0):
        written = f"{builder.__name__}{inspect.signature(builder)}"
        return [f"its builder {written} cannot be made: the factory makes it without arguments"]
    # of a class, callable() and hasattr() speak of the class itself
    if not any("__call__" in vars(base) for base in builder.__mro__):
        return [f"its builder {builder.__name__} lacks __call__(self, **config), which returns the service: define it"]
    return []


def find_service_class(kind: str, builder: Any) -> type | None:
    """Guess the class of the service that a builder makes, without calling it; None where that cannot be told."""
    class_ = builder if inspect.isclass(builder) else type(builder)
    function: Any = builder if inspect.isfunction(builder) else inspect.getattr_static(class_, "__call__", None)
    named = getattr(getattr(function, "__code__", None), "co_names", ())
    world = getattr(function, "__globals__", {})
    classes = [world[name] for name in dict.fromkeys(named) if inspect.isclass(world.get(name))]
    methods = _contract_methods(kind)
    likely = [class_ for class_ in classes if any(hasattr(class_, method) for method in methods)]
    return likely[0] if len(likely) == 1 else None


def abilities(service: Any, kind: str = "data") -> dict[str, bool]:
    """Say which optional abilities of its kind a service, or a service's class, has: by the protocols' names."""
    return {protocol.__name__: _has_ability(service, protocol) for protocol in ABILITIES[kind]}


def accepts(function: Callable[..., Any], keyword: str) -> bool:
    """Say whether `function` can be given the keyword argument `keyword`.

    Examples
    --------
    >>> accepts(lambda path, *, mode="copy": None, "mode"), accepts(lambda path: None, "mode")
    (True, False)
    """
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    by_name = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    return any(
        parameter.kind is inspect.Parameter.VAR_KEYWORD or (parameter.name == keyword and parameter.kind in by_name)
        for parameter in parameters.values()
    )


def takes(function: Callable[..., Any], count: int) -> bool:
    """Say whether `function` can be called with `count` positional arguments; yes where nobody can know."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # written in C without a signature
        return True
    return True


def _contract_methods(kind: str) -> dict[str, list[str]]:
    contract = CONTRACTS[kind]
    return {
        name: _parameter_names(value)
        for name, value in vars(contract).items()
        if getattr(value, "__isabstractmethod__", False)
    }


def _parameter_names(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def _has_ability(service: Any, protocol: type) -> bool:
    for name, expected in vars(protocol).items():
        if name.startswith("_"):
            continue
        try:
            is_class = inspect.isclass(service)
            found = (
                _bind(inspect.getattr_static(service, name, _ABSENT)) if is_class else getattr(service, name, _ABSENT)
            )
        except Exception:  # noqa: BLE001 - a property of the plugin's that breaks gives no ability
            return False
        if found is _ABSENT:
            return False
        if inspect.isfunction(expected) and not (callable(found) and takes(found, len(_parameter_names(expected)))):
            return False
    return True


def _bind(found: Any) -> Any:
    # what an attribute of a class becomes on its instances, as far as signatures go
    if isinstance(found, staticmethod):
        return found.__func__
    if isinstance(found, classmethod):
        found = found.__func__
    if inspect.isfunction(found):
        return found.__get__(object())
    if isinstance(found, property) or (hasattr(type(found), "__get__") and not callable(found)):
        return lambda *_: None
    return found


def _find_method_problems(kind: str, method: str, found: Any, expected: list[str]) -> list[str]:
    call = f"{method}({', '.join(expected)})"
    if found is _ABSENT:
        return [f"it has no method {method}: define {method}({', '.join(['self', *expected])})"]
    if not callable(found):
        return [f"{method} is {type(found).__name__}, not a method: define {call}"]
    if inspect.iscoroutinefunction(found):
        return [f"{method} is a coroutine, the contract calls it plainly: define it without 'async'"]
    counts = [len(expected)]
    if expected and expected[-1] in _TOLERATED.get(kind, ()):
        counts.append(len(expected) - 1)
    if not any(takes(found, count) for count in counts):
        return [f"{_describe(method, found)}, the contract passes {len(expected)}: {call}"]
    return _find_swapped(method, found, expected)


def _describe(method: str, function: Callable[..., Any]) -> str:
    parameters = list(inspect.signature(function).parameters.values())
    required_keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    own_self = ["self"] if inspect.ismethod(function) else []
    written = f"{method}({', '.join([*own_self, *(_written(p) for p in parameters)])})"
    if required_keywords:
        return f"{written} needs the keyword {', '.join(required_keywords)}, which nobody passes"
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = sum(p.default is p.empty for p in positional)
    count = str(len(positional)) if required == len(positional) else f"{required} to {len(positional)}"
    return f"{written} takes {count} argument{'' if count == '1' else 's'}"


def _written(parameter: inspect.Parameter) -> str:
    stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(parameter.kind.name, "")
    return f"{stars}{parameter.name}{'' if parameter.default is parameter.empty else '=…'}"


def _find_swapped(method: str, function: Callable[..., Any], expected: list[str]) -> list[str]:
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []
    known = [name for name in names[: len(expected)] if name in expected]
    if known == [name for name in expected if name in known]:
        return []
    order = ", ".join(expected)
    return [f"{method}({', '.join(names)}) has its arguments in another order, the contract passes {method}({order})"]
