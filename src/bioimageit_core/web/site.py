"""What the routes share: the request, the ids, and what is kept between two calls."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from bioimageit_core.containers import Data, DatasetInfo, Experiment, ProcessedData
from bioimageit_core.core.exceptions import BioImageITError, NotFoundError
from bioimageit_core.web.ids import Ids
from bioimageit_core.web.security.audit import AuditLog
from bioimageit_core.web.security.limits import LoginLimiter
from bioimageit_core.web.settings import Settings, read_secret

if TYPE_CHECKING:
    from bioimageit_core.api import Request as Requests
    from bioimageit_core.web.board import Board
    from bioimageit_core.web.files import FileCache
    from bioimageit_core.web.security.provider import Provider
    from bioimageit_core.web.undoing import Remembered
    from bioimageit_core.web.viewing.sources import Sources
    from bioimageit_core.web.viewing.thumbnails import Thumbnails

__all__ = ["Site", "SiteDep", "site_of"]


class Site:
    """One server: its request, its settings, its secrets."""

    def __init__(self, request: Requests, settings: Settings) -> None:
        self.request = request
        self.settings = settings
        self.secret = read_secret(settings.state_dir)
        self.ids = Ids(self.secret)
        self.lock = threading.Lock()
        self.limiter = LoginLimiter(settings.logins_per_minute)
        self.audit = AuditLog(settings.state_dir)
        self.ended: dict[str, float] = {}  # tokens of sessions that were signed out of, and until when they could live

    @cached_property
    def files(self) -> FileCache:
        """Files of data, here."""
        from bioimageit_core.web.files import FileCache

        return FileCache(self.request, self.settings.state_dir, self.settings.cache_size)

    @cached_property
    def board(self) -> Board:
        """Jobs that run, wait, or are over."""
        from bioimageit_core.web.board import Board

        return Board(self)

    @cached_property
    def sources(self) -> Sources:
        """Images that were looked at."""
        from bioimageit_core.web.viewing.sources import Sources

        return Sources()

    @cached_property
    def thumbnails(self) -> Thumbnails:
        """Small pictures."""
        from bioimageit_core.web.viewing.thumbnails import Thumbnails

        return Thumbnails(self)

    @cached_property
    def remembered(self) -> Remembered:
        """Annotations that can be taken back though the home keeps no history."""
        from bioimageit_core.web.undoing import Remembered

        return Remembered(self.request)

    @cached_property
    def provider(self) -> Provider | None:
        """Who says who somebody is."""
        from bioimageit_core.web.security.provider import Provider

        return Provider(self.settings.oidc, self.secret) if self.settings.oidc is not None else None

    def mask(self, text: str) -> str:
        """Take secrets, and where things are on this machine, out of a text."""
        masked = self.request.config.mask(text)
        for place in (self.request.config.workspace, self.settings.state_dir):
            if len(place) > 1:
                masked = masked.replace(place.rstrip("/"), "…")
        return masked

    def acting(self, name: str) -> AbstractContextManager[None]:
        """Keep the name of whoever asked with what is changed."""
        return self.request.acting_as(name or self.request.config.user_name)

    def workspace(self) -> str:
        """Return where experiments are made."""
        import os

        place = self.request.default_workspace()
        if place and not self.request.config.has_own_workspace:
            os.makedirs(place, exist_ok=True)
        return place

    def experiment(self, eid: str) -> Experiment:
        """Read the experiment of an id."""
        return self.request.get_experiment(self.ids.read(eid, "experiment").md_uri)

    def dataset_info(self, experiment: Experiment, name: str) -> DatasetInfo:
        """Find a dataset by its name."""
        for info in [experiment.raw_dataset, *experiment.processed_datasets]:
            if info.name == name:
                return info
        raise NotFoundError("dataset", name)

    def data(self, did: str) -> Data:
        """Read the data of an id."""
        return self.located(did)[0]

    def located(self, did: str) -> tuple[Data, str]:
        """Read the data of an id, and say which experiment (its ``md_uri``) it belongs to."""
        reference = self.ids.read(did, "raw", "processed")
        is_raw = reference.kind == "raw"
        read = self.request.get_raw_data if is_raw else self.request.get_processed_data
        return read(reference.md_uri), reference.experiment

    def id_of(self, data: Data, experiment: str) -> str:
        """Return the id of a data of an experiment (its ``md_uri``)."""
        return self.ids.make("raw" if data.type == "raw" else "processed", data.md_uri, experiment)

    def dataset_of(self, data: Data, experiment: Experiment) -> str:
        """Name the dataset of an experiment that a data is in; empty where its run is not known."""
        if not isinstance(data, ProcessedData):
            return experiment.raw_dataset.name
        try:
            place = self.request.get_run(data.run.md_uri).processed_dataset
        except BioImageITError:
            return ""
        infos = experiment.processed_datasets
        return next((info.name for info in infos if place.md_uri == info.url or place.uuid == info.uuid != ""), "")

    def size_of(self, experiment: Experiment, info: DatasetInfo) -> int:
        """Count the data of a dataset, without reading its list where the home can."""
        from bioimageit_core.plugins.abilities import PagesData

        if isinstance(self.request.data_service, PagesData):
            total = self.request.query_page(experiment, info.name, limit=1).total
            if total is not None:
                return total
        return self.request.get_dataset_from_uri(info.url).size()


def site_of(request: Request) -> Site:
    """Return the site that a call is made to."""
    site: Site = request.app.state.site
    return site


SiteDep = Annotated[Site, Depends(site_of)]
