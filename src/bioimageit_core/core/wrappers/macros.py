"""Macros of wrappers: imports, tokens, XML macros with yields and parameters."""

from __future__ import annotations

import copy
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.document import SOURCE, children, parse_document, text_of, where

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["Macros", "expand", "load_macros", "replace_tokens"]

_MAX_DEPTH = 64
_MAX_ELEMENTS = 50_000


@dataclass
class Macros:
    """What a wrapper and the files it imports define."""

    tokens: dict[str, str] = field(default_factory=dict)
    xml: dict[str, _Element] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    expanded: int = 0


def load_macros(root: _Element, path: str) -> Macros:
    """Collect the macros of a wrapper; those that it defines itself win over imported ones.

    Raises
    ------
    ToolsServiceError
        An imported file cannot be read; the message names it and the line of the import.
    """
    macros = Macros()
    top = os.path.dirname(os.path.abspath(path))
    for element in children(root, "macros"):
        _collect(element, path, top, macros, ())
    _close_tokens(macros.tokens)
    return macros


def _collect(element: _Element, path: str, top: str, macros: Macros, chain: tuple[str, ...]) -> None:
    for entry in children(element, "import"):
        name = text_of(entry).strip()
        if not name or os.path.isabs(name):
            raise ToolsServiceError(f"{path}:{entry.sourceline}: an import needs a relative path, not {name!r}")
        target = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if target in chain or len(chain) > _MAX_DEPTH:
            raise ToolsServiceError(f"{path}:{entry.sourceline}: {name!r} imports itself")
        try:
            imported = parse_document(target)
        except ToolsServiceError as error:
            raise ToolsServiceError(f"{path}:{entry.sourceline}: import of {name!r}: {error}") from error
        macros.sources.append(target)
        source = os.path.relpath(os.path.abspath(target), top)
        for inner in imported.iter():
            inner.set(SOURCE, source)
        blocks = [imported] if imported.tag == "macros" else list(children(imported, "macros"))
        for block in blocks:
            _collect(block, target, top, macros, (*chain, target))
    for entry in children(element, "token", "xml", "macro"):
        name = entry.get("name", "")
        if not name:
            raise ToolsServiceError(f"{where(entry, path)}: a <{entry.tag}> macro needs a name")
        kind = (entry.get("type") or "xml") if entry.tag == "macro" else str(entry.tag)
        if kind == "token":
            macros.tokens[name] = text_of(entry)
        elif kind == "template":
            macros.templates[name] = text_of(entry)
        else:
            macros.xml[name] = entry


def _close_tokens(tokens: dict[str, str]) -> None:
    """Replace the tokens that stand in the texts of other tokens."""
    for _ in range(8):
        changed = False
        for name, value in tokens.items():
            new = replace_tokens(value, {key: text for key, text in tokens.items() if key != name})
            if len(new) > 1_000_000:
                raise ToolsServiceError(f"token {name!r} expands to more than a million characters")
            changed = changed or new != value
            tokens[name] = new
        if not changed:
            return


def replace_tokens(text: str, tokens: dict[str, str]) -> str:
    """Replace every token in a text, longer names first.

    Examples
    --------
    >>> replace_tokens("@VERSION@+build", {"@VERSION@": "1.2"})
    '1.2+build'
    """
    if not tokens or not text:
        return text
    pattern = "|".join(re.escape(name) for name in sorted(tokens, key=len, reverse=True))
    return re.sub(pattern, lambda match: tokens[match.group(0)], text)


def expand(root: _Element, macros: Macros, path: str) -> None:
    """Expand, in place, every ``<expand>`` of a wrapper, then replace its tokens and remove its ``<macros>``.

    Raises
    ------
    ToolsServiceError
        A macro is not defined, lacks a parameter, or expands to itself.
    """
    for element in list(children(root, "macros")):
        root.remove(element)
    _expand_in(root, macros, path, ())
    _replace_in(root, macros.tokens)


def _expand_in(element: _Element, macros: Macros, path: str, chain: tuple[str, ...]) -> None:
    if len(chain) > _MAX_DEPTH:
        raise ToolsServiceError(f"{where(element, path)}: macros are nested too deeply: {' > '.join(chain[:5])} > ...")
    for child in list(element):
        if child.tag == "expand":
            _replace_expand(element, child, macros, path, chain)
        elif isinstance(child.tag, str):
            _expand_in(child, macros, path, chain)


def _replace_expand(parent: _Element, call: _Element, macros: Macros, path: str, chain: tuple[str, ...]) -> None:
    name = call.get("macro", "")
    if name not in macros.xml:
        known = ", ".join(sorted(macros.xml)) or "none"
        raise ToolsServiceError(f"{where(call, path)}: no macro {name!r} is defined (defined: {known})")
    if name in chain:
        raise ToolsServiceError(f"{where(call, path)}: macro {name!r} expands to itself")
    # what the caller yields is expanded in the caller's context, before it is put into the macro
    _expand_in(call, macros, path, chain)
    definition = macros.xml[name]
    body = copy.deepcopy(definition)
    macros.expanded += sum(1 for _ in body.iter())
    if macros.expanded > _MAX_ELEMENTS:
        raise ToolsServiceError(f"{where(call, path)}: the macros expand to more than {_MAX_ELEMENTS} elements")
    _replace_in(body, _parameters(definition, call, path))
    _fill_yields(body, call)
    _expand_in(body, macros, path, (*chain, name))
    index = parent.index(call)
    tail = call.tail or ""
    parent.remove(call)
    _add_text(parent, index, body.text or "")
    new = list(body)
    for offset, item in enumerate(new):
        parent.insert(index + offset, item)
    _add_text(parent, index + len(new), tail)


def _parameters(definition: _Element, call: _Element, path: str) -> dict[str, str]:
    quote = definition.get("token_quote", "@")
    given: dict[str, str | None] = {}
    for name in (definition.get("tokens") or "").split(","):
        if name.strip():
            given[name.strip()] = None
    for key, value in definition.attrib.items():
        if str(key).startswith("token_") and key != "token_quote":
            given[str(key)[len("token_") :]] = str(value)
    tokens = {}
    for name, default in given.items():
        text = call.get(name, call.get(f"token_{name}", default))
        if text is None:
            raise ToolsServiceError(
                f"{where(call, path)}: macro {call.get('macro')!r} needs a value for its parameter {name!r}"
            )
        tokens[f"{quote}{name.upper()}{quote}"] = text
    return tokens


def _fill_yields(body: _Element, call: _Element) -> None:
    named = {str(token.get("name")): token for token in children(call, "token") if token.get("name")}
    unnamed = [child for child in call if child.tag != "token" or not child.get("name")]
    for slot in list(body.iter("yield")):
        parent = slot.getparent()
        if parent is None:
            continue
        name = slot.get("name")
        token = named.get(name) if name else None
        if name:
            items, text = (list(token), token.text or "") if token is not None else ([], "")
        else:
            items, text = unnamed, call.text or ""
        index = parent.index(slot)
        tail = slot.tail or ""
        parent.remove(slot)
        _add_text(parent, index, text)
        for offset, item in enumerate(items):
            parent.insert(index + offset, copy.deepcopy(item))
        _add_text(parent, index + len(items), tail)


def _add_text(parent: _Element, index: int, text: str) -> None:
    """Put a text before the child at `index` (lxml keeps it with the one before)."""
    if not text:
        return
    if index == 0:
        parent.text = (parent.text or "") + text
    else:
        previous = parent[index - 1]
        previous.tail = (previous.tail or "") + text


def _replace_in(element: _Element, tokens: dict[str, str]) -> None:
    if not tokens:
        return
    for item in element.iter():
        if not isinstance(item.tag, str):
            continue
        if item.text:
            item.text = replace_tokens(item.text, tokens)
        if item.tail and item is not element:
            item.tail = replace_tokens(item.tail, tokens)
        for key, value in list(item.attrib.items()):
            new_key, new = replace_tokens(str(key), tokens), replace_tokens(str(value), tokens)
            if new_key != key:
                del item.attrib[key]
                item.set(new_key, new)
            elif new != value:
                item.set(key, new)
