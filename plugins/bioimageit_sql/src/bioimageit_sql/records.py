"""Containers and the documents in the tables: what URIs mean here, and what two writers did to one record."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

from bioimageit_core.containers import Container
from bioimageit_core.core import json_text
from bioimageit_core.core.exceptions import DataServiceError, NotFoundError
from bioimageit_core.core.merge import merge
from bioimageit_core.core.records import container_of, document_of
from bioimageit_sql.contents import Contents
from bioimageit_sql.database import Database
from bioimageit_sql.scanning import is_key

__all__ = ["Records"]

_RECORD = re.compile(r"(experiment|dataset|data|run)/([0-9]{1,18})")
_LAST_READ = "_sql_last_read"

_Kept = TypeVar("_Kept", bound=Container)


class Records:
    """Reads and writes documents; in them, URLs of this store have neither its identity nor where its files are."""

    def __init__(self, database: Database, contents: Contents) -> None:
        self._database = database
        self._contents = contents

    def uri(self, kind: str, id_: int | str) -> str:
        """Make the ``md_uri`` of a record; with ``''``, what those of its kind begin with."""
        return f"sql:{self._database.store_id}/{kind}/{id_}"

    def id_of(self, kind: str, md_uri: str, what: str = "") -> int:
        """Give the id of a record.

        Raises
        ------
        NotFoundError
            It is no record of that kind, or of another store.
        """
        match = _RECORD.fullmatch(self._shortened(md_uri)) if isinstance(md_uri, str) else None
        if match is None or match[1] != kind or md_uri == match[0]:
            raise NotFoundError(what or kind, str(md_uri))
        return int(match[2])

    def known_id(self, kind: str, md_uri: str) -> int | None:
        """Give the id of a record, or None if the URI is of another store."""
        try:
            return self.id_of(kind, md_uri)
        except NotFoundError:
            return None

    def document(self, record: Any) -> dict[str, Any]:
        """Make the document of a record.

        Raises
        ------
        DataServiceError
            The record holds what no document can say.
        """
        try:
            document = document_of(record, self._related)
            # what cannot be read again must not be written
            container_of(type(record), document, record.md_uri, lambda url: url)
        except (AttributeError, TypeError) as error:
            raise DataServiceError(f"the {type(record).__name__} cannot be stored: {error}") from error
        return document

    def text(self, document: dict[str, Any]) -> str:
        """Write a document as text of ASCII, which every database can hold whatever stands in it."""
        try:
            return json.dumps(document, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            raise DataServiceError(f"the record cannot be written as JSON: {error}") from error

    def loads(self, text: str) -> dict[str, Any]:
        """Read a stored text as JSON gives it."""
        return json_text.decode(text.encode("ascii"), "stored document")

    def container(self, kind: type[_Kept], md_uri: str, text: str) -> _Kept:
        """Make the container of a document, and remember with it what it was read from."""
        document = json_text.decode(text.encode("ascii"), md_uri)
        container: _Kept = container_of(kind, document, md_uri, self._resolved)
        setattr(container, _LAST_READ, text)
        return container

    def changed(self, record: Any, stored: str) -> dict[str, Any]:
        """Make the document that `record` becomes, if others wrote the stored one since `record` was read."""
        mine = self.document(record)
        base = self.last_read(record, stored)
        if base == stored:
            return mine
        merged: dict[str, Any] = merge(self.loads(base), mine, self.loads(stored))
        return merged

    def written(self, record: Any, text: str) -> None:
        """Remember with a container what was written of it."""
        setattr(record, _LAST_READ, text)

    def last_read(self, record: Any, stored: str) -> str:
        """Give the document that a container was read from; the stored one if that is not known."""
        return str(getattr(record, _LAST_READ, stored))

    def copy_memory(self, record: Any, copy: Any) -> None:
        """Let a copy of a container know what the container was read from."""
        if hasattr(record, _LAST_READ):
            setattr(copy, _LAST_READ, getattr(record, _LAST_READ))

    def _shortened(self, md_uri: str) -> str:
        return md_uri.removeprefix(f"sql:{self._database.store_id}/")

    def _related(self, url: str) -> str:
        short = self._shortened(url)
        if short != url:
            return short
        key = self._contents.key(url)
        # what another store calls as we call ours stays theirs
        return f"./{url}" if key == url and (_is_ours(url) or url.startswith("./")) else key

    def _resolved(self, url: str) -> str:
        if _RECORD.fullmatch(url):
            return f"sql:{self._database.store_id}/{url}"
        if is_key(url):
            return self._contents.uri(url)
        return url.removeprefix("./")


def _is_ours(url: str) -> bool:
    return _RECORD.fullmatch(url) is not None or is_key(url)
