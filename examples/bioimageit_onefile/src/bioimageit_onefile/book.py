"""The book: one JSON file with the documents of all records, by page."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from filelock import FileLock

from bioimageit_core.core.exceptions import DataServiceError, NotFoundError
from bioimageit_core.core.json_text import decode, encode
from bioimageit_core.core.records import container_of, document_of

Pages = dict[str, Any]


class Book:
    """The documents in one file; a record is named ``<path of the book>#<page>``."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.folder = os.path.dirname(path)

    def uri(self, page: str) -> str:
        return f"{self.path}#{page}"

    def pages(self) -> Pages:
        """Read all documents."""
        if not os.path.isdir(self.folder):
            raise NotFoundError("workspace", self.folder)
        try:
            with open(self.path, "rb") as file:
                return decode(file.read(), self.path)
        except FileNotFoundError:
            return {}

    @contextmanager
    def writing(self, title: str = "", page: str = "") -> Iterator[Pages]:
        """Change documents: all of the changes are kept, or, after an exception, none.

        With `page`, what is changed must be there; `title` is what to call it in the error.
        """
        before = self.pages()
        if title and page not in before:  # said before a lock is made in a folder that is not ours
            raise NotFoundError(title, self.uri(page))
        with FileLock(f"{self.path}.lock"):
            pages = self.pages()
            yield pages
            handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=".book-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(encode(pages))
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, self.path)
            except OSError as error:
                os.unlink(temporary)
                raise DataServiceError(f"cannot write {self.path}: {error.strerror}") from error

    def read(self, kind: type[Any], title: str, page: str, pages: Pages | None = None) -> Any:
        """Make the container of a record; URLs in documents are record names and paths as they are."""
        document = (self.pages() if pages is None else pages).get(page)
        if document is None:
            raise NotFoundError(title, self.uri(page))
        # a document of its own for each container, so that nobody changes another's
        return container_of(kind, json.loads(json.dumps(document)), self.uri(page), str)

    def write(self, pages: Pages, record: Any) -> None:
        """Put the document of a container on its page."""
        pages[page_of(record.md_uri)] = json.loads(json.dumps(document_of(record, str)))


def page_of(md_uri: str) -> str:
    """Return the page that a record's name means."""
    return md_uri.partition("#")[2]


def book_of(uri: str) -> tuple[Book, str]:
    """Return the book that a record's name, or a workspace's directory, means, and the record's page."""
    path, _, page = uri.partition("#")
    path = os.path.abspath(path)
    return Book(path if page else os.path.join(path, "book.json")), page
