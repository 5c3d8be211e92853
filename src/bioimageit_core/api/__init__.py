"""The API: one `Request` between a script and whatever keeps, describes and runs."""

from bioimageit_core.api.request import APIAccess, Request

__all__ = ["APIAccess", "Request"]
