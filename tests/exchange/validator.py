"""The published validator of RO-Crates, without a network.

It ships its profiles, but fetches the JSON-LD context that a crate names. An adapter of `requests` serves that one from
``ro-crate-1.1/context.jsonld``, the published context of RO-Crate 1.1 (CC0); whatever else is asked for is not found.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import requests
from requests.adapters import BaseAdapter

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
_PUBLISHED = Path(__file__).with_name("ro-crate-1.1") / "context.jsonld"


class _Offline(BaseAdapter):
    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        response = requests.Response()
        response.request, response.url = request, request.url
        is_known = request.url == CONTEXT
        response.status_code = 200 if is_known else 404
        response.headers["Content-Type"] = "application/ld+json"
        response.raw = io.BytesIO(_PUBLISHED.read_bytes() if is_known else b"")
        return response

    def close(self) -> None:
        pass


def issues(crate: Path, profile: str, severity: str) -> list[str]:
    """Say what the validator finds, a line each: check, entity, message."""
    from rocrate_validator import services
    from rocrate_validator.models import Severity, ValidationSettings
    from rocrate_validator.utils.http import HttpRequester

    settings = ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier=profile,
        requirement_severity=Severity.get(severity),
        no_cache=True,
    )
    for scheme in ("https://", "http://"):  # after the settings, which make the session anew
        HttpRequester().session.mount(scheme, _Offline())
    result = services.validate(settings)
    return sorted(
        f"{issue.check.identifier} {issue.violatingEntity or ''} {issue.message}" for issue in result.get_issues()
    )
