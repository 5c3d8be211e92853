"""Between every two homes an experiment moves there and back, and is what it was: in every field and byte."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from bioimageit_core.containers import Experiment
from bioimageit_core.exchange.transfer import transfer_experiment

pytestmark = [
    # what the client of OMERO does when it is imported, and its communicators when they are forgotten
    pytest.mark.filterwarnings("ignore::DeprecationWarning:omero.*"),
    pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::SyntaxWarning"),
]


_MARKS = {
    "S3": pytest.mark.s3,
    "SFTP": pytest.mark.sftp,
    "PostgreSQL": pytest.mark.postgresql,
    "OMERO": pytest.mark.omero,
}
_HOMES = ["LOCAL", "memory", "S3", "SFTP", "SQLite", "PostgreSQL", "OMERO"]
_PAIRS = [
    pytest.param(*pair, marks=[_MARKS[name] for name in pair if name in _MARKS])
    for pair in itertools.permutations(_HOMES, 2)
]


@pytest.fixture(scope="session")
def origin(home: Any, lineage: Any, everything: Any) -> Callable[[str], tuple[Experiment, dict[str, Any]]]:
    """Give an experiment in a home and all that the home knows of it; made once."""
    made: dict[str, tuple[Experiment, dict[str, Any]]] = {}

    def make(name: str) -> tuple[Experiment, dict[str, Any]]:
        if name not in made:
            place = home(name)
            experiment = lineage(place)
            made[name] = experiment, everything(place.service, experiment)
        return made[name]

    return make


@pytest.mark.parametrize(("first", "second"), _PAIRS)
def test_there_and_back_an_experiment_is_what_it_was(
    first: str, second: str, home: Any, origin: Any, everything: Any
) -> None:
    (experiment, before), here, there = origin(first), home(first), home(second)

    out = transfer_experiment(experiment, here.service, there.service, there.place())
    away = there.service.get_experiment(out.md_uri)
    assert (out.not_held, out.moved, out.present, out.datasets, out.runs) == ([], 6, 0, 4, 3)
    assert everything(there.service, away) == before

    back = transfer_experiment(away, there.service, here.service, here.place())
    home_again = here.service.get_experiment(back.md_uri)
    assert everything(here.service, home_again) == before
    assert home_again.md_uri != experiment.md_uri
    for each, uri in ((there, out.md_uri), (here, back.md_uri)):
        each.forget(uri)
