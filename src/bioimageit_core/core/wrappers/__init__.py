"""Tool wrappers: Galaxy tool XML and the older dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioimageit_core.core.wrappers.call import Call, InputFile, OutputFile
    from bioimageit_core.core.wrappers.engine import (
        check_values,
        collect_outputs,
        judge,
        output_specs,
        prepare_call,
        read_wrapper,
        wrapper_directories,
        wrapper_sources,
    )
    from bioimageit_core.core.wrappers.lint import LintMessage, lint_tool
    from bioimageit_core.core.wrappers.specs import OutputSpec
    from bioimageit_core.core.wrappers.values import Collection, ParameterError

__all__ = [
    "Call",
    "Collection",
    "InputFile",
    "LintMessage",
    "OutputFile",
    "OutputSpec",
    "ParameterError",
    "check_values",
    "collect_outputs",
    "judge",
    "lint_tool",
    "output_specs",
    "prepare_call",
    "read_wrapper",
    "wrapper_directories",
    "wrapper_sources",
]

_HOMES = {
    "Call": "call",
    "InputFile": "call",
    "OutputFile": "call",
    "LintMessage": "lint",
    "OutputSpec": "specs",
    "lint_tool": "lint",
    "Collection": "values",
    "ParameterError": "values",
}


def __getattr__(name: str) -> Any:
    # resolved on first use, so that importing the seam costs nothing
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'engine')}"), name)
    globals()[name] = value
    return value
