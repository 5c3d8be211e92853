"""Render the Cheetah templates of wrappers.

A template is code of the wrapper, as trusted as the program that it wraps; the values are not. Names are looked up in
the template's own variables, the parameters, what templates may import, and a choice of Python's builtins: a wrapper
that says ``$input`` without having a parameter of that name gets an error, not Python's ``input()``.
"""

from __future__ import annotations

import builtins
import functools
import operator
import sys
import threading
import types
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.old_templates import translated

__all__ = ["render"]

_MASKED = frozenset(["input", "exit", "quit", "help", "copyright", "credits", "license", "breakpoint"])
_INTERNAL = frozenset(
    ["self", "trans", "write", "SL", "_filter", "_v", "_dummyTrans", "VFSL", "VFFSL", "VFN", "_orig_filter"]
)
_BOILERPLATE = frozenset(
    [
        "sys",
        "os",
        "time",
        "types",
        "builtin",
        "getmtime",
        "exists",
        "currentTime",
        "Template",
        "Filters",
        "ErrorCatchers",
        "CacheRegion",
        "unicode",
        "NotFound",
        "valueForName",
        "valueFromSearchList",
        "valueFromFrameOrSearchList",
        "RequiredCheetahVersion",
        "RequiredCheetahVersionTuple",
        "DummyTransaction",
        "DummyResponse",
        "TransformerResponse",
        "TransformerTransaction",
        "wrapper_template",
    ]
)
# what mappings had in Python 2: templates name methods by texts, which no translation of code would find
_OLD_METHODS: dict[str, Callable[..., Any]] = {
    "has_key": operator.contains,
    "iteritems": lambda mapping: iter(mapping.items()),
    "iterkeys": lambda mapping: iter(mapping.keys()),
    "itervalues": lambda mapping: iter(mapping.values()),
}
_missing = object()
_compiling = threading.Lock()  # the filters of warnings are one for all threads


def render(source: str, context: Mapping[str, Any], origin: str, *, is_old: bool = False) -> str:
    """Fill a template.

    Parameters
    ----------
    context
        What its names stand for.
    origin
        Where it stands, for the message of an error.
    is_old
        Whether it may be of Python 2: as in Galaxy, one that fails is translated and filled again.

    Raises
    ------
    ToolsServiceError
        It is not a template, names something that there is not, or raises.
    """
    if "$" not in source and "#" not in source and "\\" not in source:
        return source
    try:
        return _filled(source, context, origin)
    except ToolsServiceError:
        raise
    except _NotPython3Error as error:
        if is_old:
            return _filled_as_old(source, context, origin, error)
        raise _cannot_be_filled(origin, error.__cause__ or error) from error
    except Exception as error:
        if is_old and not isinstance(error, LookupError):
            return _filled_as_old(source, context, origin, error)
        raise _cannot_be_filled(origin, error) from error


class _NotPython3Error(Exception):
    """The code of a template is none of Python 3."""


def _filled(source: str, context: Mapping[str, Any], origin: str, is_old: bool = False) -> str:
    return str(_compiled(source, origin, is_old)(searchList=[context]).respond())


def _filled_as_old(source: str, context: Mapping[str, Any], origin: str, first: Exception) -> str:
    """Translate a template from Python 2 and fill it; where that does not help, say what was wrong before."""
    try:
        return _filled(source, context, origin, is_old=True)
    except Exception:  # noqa: BLE001  (the translation is a try)
        cause = first.__cause__ if isinstance(first, _NotPython3Error) and first.__cause__ else first
        raise _cannot_be_filled(origin, cause) from first


def _cannot_be_filled(origin: str, error: BaseException) -> ToolsServiceError:
    if isinstance(error, SyntaxError):
        return ToolsServiceError(f"{origin}: not a template: {error.msg}: {(error.text or '').strip()}")
    kind = "" if isinstance(error, LookupError) else f"{type(error).__name__}: "
    return ToolsServiceError(f"{origin}: the template cannot be filled: {kind}{error}")


@lru_cache(maxsize=512)
def _compiled(source: str, origin: str, is_old: bool = False) -> Any:
    with _compiling, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from Cheetah.Compiler import Compiler
        from Cheetah.Parser import ParseError

        try:
            code = Compiler(source=source, moduleName="wrapper_template", mainMethodName="respond").getModuleCode()
        except ParseError as error:
            said = " ".join(str(error).split())
            raise ToolsServiceError(f"{origin}: not a template: {said}") from error
        code = (translated(code) or code) if is_old else code
        namespace: dict[str, Any] = {"__name__": "bioimageit_core.wrapper_template"}
        try:
            exec(compile(code, f"<template of {origin}>", "exec"), namespace)  # nosec B102 # noqa: S102  (see the module's docstring)
        except SyntaxError as error:
            raise _NotPython3Error(str(error)) from error
        except ImportError as error:
            raise ToolsServiceError(f"{origin}: the template imports what is not there: {error}") from error
    namespace["input"] = _masked
    namespace["VFSL"] = _from_search_list
    namespace["VFFSL"] = _from_frame
    namespace["VFN"] = _descend
    template_class = namespace["wrapper_template"]
    template_class.getVar = _get_var
    template_class._handleCheetahInclude = _include  # noqa: SLF001
    template_class.varExists = template_class.hasVar = _has_var
    return template_class


def _masked(*_: Any) -> Any:
    raise LookupError("a template cannot read from standard input")


def _own_names(namespace: Any) -> Mapping[str, Any]:
    """Give what a template may see of one of the places that Cheetah looks in."""
    if isinstance(namespace, Mapping):
        return namespace
    # the template object itself: only what this template defines, and the two questions
    return {**{key: getattr(namespace, key) for key in vars(type(namespace)) if not key.startswith("_")}} | {
        key: getattr(namespace, key) for key in ("getVar", "varExists", "hasVar")
    }


def _locals_of(frame: types.FrameType | None) -> dict[str, Any]:
    """Give the variables of a template's code; those around a comprehension too."""
    found: dict[str, Any] = {}
    while frame is not None:
        found = {**{k: v for k, v in frame.f_locals.items() if k not in _INTERNAL and not k.startswith(".")}, **found}
        if not frame.f_code.co_name.startswith("<"):
            return found
        frame = frame.f_back
    return found


def _from_frame(search_list: Any, name: str, autocall: bool = True) -> Any:
    frame = sys._getframe(1)  # noqa: SLF001
    return _look_up(_locals_of(frame), list(search_list), frame.f_globals, name, autocall)


def _from_search_list(search_list: Any, name: str, autocall: bool = True) -> Any:
    frame = sys._getframe(1)  # noqa: SLF001
    places = [place for place in search_list if place is not builtins and place is not frame.f_globals]
    return _look_up(_locals_of(frame), places[1:], frame.f_globals, name, autocall)


def _look_up(own: Mapping[str, Any], places: list[Any], module: Mapping[str, Any], name: str, autocall: bool) -> Any:
    first, _, rest = name.partition(".")
    value = own.get(first, _missing)
    if value is _missing:
        # the parameters come before the methods of the template, so that none of those hides one of these
        for place in sorted(places, key=lambda item: not isinstance(item, Mapping)):
            value = _own_names(place).get(first, _missing)
            if value is not _missing:
                break
    if value is _missing and first not in _MASKED:
        # a bare name is never meant for a function of Python's, or for what Cheetah itself imports
        is_bare = autocall and not rest
        if not (is_bare and first in _BOILERPLATE):
            value = module.get(first, _missing)
        if value is _missing and (not is_bare or first in ("True", "False", "None")):
            value = getattr(builtins, first, _missing)
    if value is _missing:
        raise LookupError(f"there is no {first!r} here")
    value = _called(value) if autocall else value
    return _descend(value, rest, autocall) if rest else value


def _called(value: Any) -> Any:
    is_function = isinstance(value, (types.FunctionType, types.MethodType, types.BuiltinMethodType))
    return value() if is_function else value


def _descend(value: Any, name: str, autocall: bool = True) -> Any:
    """Follow a dotted name: items of mappings first, then attributes."""
    for part in name.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, Mapping) and part in _OLD_METHODS:
            value = functools.partial(_OLD_METHODS[part], value)
            return value() if autocall else value
        else:
            try:
                value = getattr(value, part)
            except AttributeError as error:
                raise LookupError(f"there is no {part!r}: {error}") from None
        if autocall:
            value = _called(value)
    return value


def _include(self: Any, source: Any, trans: Any = None, includeFrom: str = "file", raw: bool = False) -> None:  # noqa: N803
    """Fill ``#include source=$macro`` in place, by the same rules as the template around it."""
    if includeFrom != "str":
        raise ToolsServiceError("a template can only include template macros: #include source=$name")
    places = [place for place in self.searchList() if place is not builtins]
    names = {key: value for place in reversed(places) for key, value in _own_names(place).items()}
    text = str(source) if raw else render(str(source), names, "a template macro")
    trans.response().write(text)


def _get_var(self: Any, name: str, default: Any = _missing, autocall: bool = True) -> Any:
    try:
        return _look_up({}, list(self.searchList()), {}, name.replace("$", ""), autocall)
    except LookupError:
        if default is _missing:
            raise
        return default


def _has_var(self: Any, name: str, autocall: bool = True) -> bool:
    return _get_var(self, name, None, autocall) is not None
