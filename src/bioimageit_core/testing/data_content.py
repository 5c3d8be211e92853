"""What a home remembers of the contents that it was given."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from bioimageit_core.containers import Experiment
from bioimageit_core.testing.ability import ability, look_for
from bioimageit_core.testing.data_fixtures import DataFixtures

__all__ = ["ContentMemoryTests"]


@ability("is_as_stored")
class ContentMemoryTests(DataFixtures):
    """A content that was changed under a home's hands is told from the one that was stored."""

    def test_another_content_than_the_stored_one_is_told(
        self, service: Any, experiment: Experiment, tmp_path: Path
    ) -> None:
        look_for(service, "is_as_stored")
        path = tmp_path / "cell 1.tif"
        path.write_bytes(b"what was stored")
        how = ("cell 1.tif", "ada", "imagetiff", "2024-01-01", {"Dose": 1})
        data = service.get_raw_data(service.import_data(experiment, str(path), *how).md_uri)
        known = service.is_as_stored(data, hashlib.sha256(b"what was stored").hexdigest())
        assert known is True
        assert service.is_as_stored(data, hashlib.sha256(b"what a disk made of it").hexdigest()) is False
