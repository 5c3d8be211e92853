"""Templates that were written for Python 2, which wrappers of old profiles may have, as in Galaxy."""

from __future__ import annotations

import functools
import logging
import warnings
from typing import Any

__all__ = ["is_for_python_2", "translated"]

_log = logging.getLogger(__name__)

_SINCE_PYTHON_3 = (19, 5)
_FIXES = (
    *("apply", "basestring", "dict", "except", "filter", "has_key", "itertools", "long", "map", "ne", "next"),
    *("numliterals", "print", "raise", "raw_input", "reduce", "repr", "tuple_params", "types", "xrange", "zip"),
)


def is_for_python_2(profile: tuple[int, int], said: str | None) -> bool:
    """Say whether the templates of a wrapper may be of Python 2: by its ``python_template_version``, or its profile.

    Examples
    --------
    >>> is_for_python_2((18, 1), None), is_for_python_2((18, 1), "3.5"), is_for_python_2((20, 1), None)
    (True, False, False)
    """
    return said.strip().startswith("2") if said else profile < _SINCE_PYTHON_3


def translated(code: str) -> str | None:
    """Give the code of a template in Python 3; None where it is not of Python 2 either.

    Examples
    --------
    >>> translated("if `x` <> y.has_key('a'): print x").strip()
    "if repr(x) != ('a' in y): print(x)"
    """
    from fissix.pgen2.parse import ParseError
    from fissix.pgen2.tokenize import TokenError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for is_function in (False, True):  # what print is: code of Python 2 has it either way
            try:
                return str(_tool(is_function).refactor_string(code + "\n", "template"))
            except (ParseError, TokenError):
                _log.debug("not code of Python 2 where print is a %s", "function" if is_function else "statement")
    return None


@functools.cache
def _tool(is_print_a_function: bool) -> Any:
    from fissix.refactor import RefactoringTool

    return RefactoringTool(
        [f"fissix.fixes.fix_{name}" for name in _FIXES], {"print_function": True} if is_print_a_function else None
    )
