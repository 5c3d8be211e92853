"""What one can ask about experiments: make, list, read and write them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bioimageit_core.api.services import Services
from bioimageit_core.core.exceptions import InvalidNameError
from bioimageit_core.core.utils import format_date

if TYPE_CHECKING:
    from bioimageit_core.containers import Experiment

__all__ = ["ExperimentRequests"]


class ExperimentRequests(Services):
    """The part of `Request` about experiments as a whole."""

    def create_experiment(
        self,
        name: str,
        author: str = "",
        date: str = "now",
        keys: Sequence[str] | None = None,
        destination: str = "",
    ) -> Experiment:
        """Create an experiment: by default by the configured user, today, in the workspace."""
        if not destination:
            destination = self.default_workspace()
            if destination and not self.config.has_own_workspace:
                os.makedirs(destination, exist_ok=True)
        return self.data_service.create_experiment(
            name, author or self.config.user_name, format_date(date), list(keys or []), destination
        )

    def get_workspace_experiments(self, workspace_uri: str = "") -> list[dict[str, Any]]:
        """List the experiments of a workspace (the configured one): ``{'md_uri': str, 'info': Experiment}`` each."""
        uri = workspace_uri or self.default_workspace()
        if not workspace_uri and uri and not self.config.has_own_workspace and not os.path.isdir(uri):
            return []  # the default place, not used yet
        return self.data_service.get_workspace_experiments(uri)

    def get_experiment(self, md_uri: str) -> Experiment:
        """Read an experiment."""
        return self.data_service.get_experiment(md_uri)

    def update_experiment(self, experiment: Experiment) -> None:
        """Write an experiment's information and keys."""
        self.data_service.update_experiment(experiment)

    def set_key(self, experiment: Experiment, key: str) -> None:
        """Add a key to an experiment's vocabulary."""
        self.set_keys(experiment, [key])

    def set_keys(self, experiment: Experiment, keys: Sequence[str]) -> None:
        """Add keys to an experiment's vocabulary.

        Raises
        ------
        InvalidNameError
            A key is not a text, or says nothing.
        """
        for key in keys:
            if not isinstance(key, str) or not key.strip():
                raise InvalidNameError("key", str(key), "a name is needed")
        for key in keys:
            experiment.set_key(key)
        self.data_service.update_experiment(experiment)
