"""Errors as problem documents (RFC 9457)."""

from __future__ import annotations

import http
import logging
import re
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from bioimageit_core.core.exceptions import (
    BioImageITError,
    ConflictError,
    DataQueryError,
    DataServiceError,
    FormatError,
    InvalidNameError,
    NotFoundError,
    PairingError,
    ToolNotFoundError,
    ToolsServiceError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from fastapi import Request

__all__ = [
    "PROBLEMS",
    "Place",
    "Problem",
    "ProblemError",
    "install_problems",
    "methods_at",
    "problem_response",
]

logger = logging.getLogger(__name__)

_NAMED = re.compile(r"\{(\w+)\}")
MEDIA_TYPE = "application/problem+json"


class Place(BaseModel):
    """Where in a query the mistake is, in characters from 0; `end` is after it."""

    start: int
    end: int


class Problem(BaseModel):
    """What went wrong."""

    type: str = Field(
        default="about:blank", description="What kind of problem it is; about:blank where the status says it."
    )
    title: str
    status: int
    detail: str = ""
    place: Place | None = Field(default=None, description="Of a query that cannot be understood.")
    problems: dict[str, str] | None = Field(default=None, description="What is wrong with each parameter or field.")


class ProblemError(Exception):
    """A problem of the request itself, not of the library."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.headers = headers


_UNFIT = DataQueryError | FormatError | InvalidNameError | PairingError | ToolsServiceError
_SAID = {
    400: "The request cannot be understood.",
    401: "Nobody is signed in.",
    403: "The user's role, or a missing CSRF token, does not allow it.",
    404: "There is no such thing.",
    405: "The method is not known here.",
    406: "It cannot be given in a form that the client takes.",
    409: "It conflicts with what is there.",
    411: "The size was not told.",
    412: "It was changed since.",
    413: "It is too large.",
    415: "It is of the wrong type.",
    416: "There is no such range.",
    422: "A value does not fit.",
    429: "Too many attempts.",
    500: "The server failed.",
    501: "This home cannot do that.",
}
_DESCRIBED: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": said, "content": {MEDIA_TYPE: {}}} for status, said in _SAID.items()
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: _DESCRIBED[status] for status in (400, 401, 403, 404, 409, 413, 422, 429, 501)
}


def problem_response(status: int, detail: str = "", headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    """Make the document of a problem."""
    title = http.HTTPStatus(status).phrase
    content = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    content |= {key: value for key, value in more.items() if value is not None}
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)


def install_problems(app: FastAPI, mask: Any) -> None:
    """Answer every error with a problem document.

    Parameters
    ----------
    mask
        Takes what others must not see (secrets, places on the server) out of a text.
    """

    @app.exception_handler(BioImageITError)
    def of_library(_: Request, error: BioImageITError) -> JSONResponse:
        status = status_of(error)
        if status == 500:
            logger.error("%s: %s", type(error).__name__, error)
        problems = getattr(error, "problems", None)
        problems = {name: mask(said) for name, said in problems.items()} if isinstance(problems, dict) else None
        kind = f"urn:bioimageit:{type(error).__name__}"
        return problem_response(status, mask(_said(error)), type=kind, place=_place(error), problems=problems)

    @app.exception_handler(ProblemError)
    def of_request(_: Request, error: ProblemError) -> JSONResponse:
        return problem_response(error.status, error.detail, error.headers)

    @app.exception_handler(HTTPException)
    def of_framework(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(sorted(methods_at(request)))
        return problem_response(error.status_code, str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    def of_values(_: Request, error: RequestValidationError) -> JSONResponse:
        found = {".".join(map(str, item["loc"][1:])) or str(item["loc"][0]): item["msg"] for item in error.errors()}
        return problem_response(422, "; ".join(f"{name}: {said}" for name, said in found.items()), problems=found)

    @app.exception_handler(Exception)
    def of_nobody(_: Request, error: Exception) -> JSONResponse:
        logger.error("unexpected %s: %s", type(error).__name__, mask(str(error)))
        return problem_response(500, "the server failed; its log says where")


def methods_at(request: Request) -> set[str]:
    """Return the methods that the address of a request takes, as the API's document says it."""
    found: set[str] = set()
    for template, item in request.app.openapi()["paths"].items():
        pattern = _NAMED.sub(lambda match: ".*" if match[1] == "path" else "[^/]+", template)
        if re.fullmatch(pattern, request.url.path):
            found |= {method.upper() for method in item}
    return found


def status_of(error: BioImageITError) -> int:
    """Return the status that says what went wrong."""
    from bioimageit_core.images.model import ImageReadError
    from bioimageit_core.jobs.errors import JobError

    if isinstance(error, NotFoundError | ToolNotFoundError):
        return 404
    if isinstance(error, ConflictError):
        return 409
    if isinstance(error, UnsupportedError):
        return 501
    if isinstance(error, _UNFIT | ImageReadError | JobError):
        return 422
    return 502 if isinstance(error, DataServiceError) and isinstance(error.__cause__, ConnectionError) else 500


def _said(error: BioImageITError) -> str:
    if isinstance(error, DataQueryError):
        return error.message
    if type(error) is NotFoundError:
        return f"there is no such {error.kind}"
    return str(error)


def _place(error: BioImageITError) -> dict[str, int] | None:
    if not isinstance(error, DataQueryError) or error.position < 0:
        return None
    return {"start": error.position, "end": min(error.position + 1, max(len(error.query), error.position))}
