"""The API does what its OpenAPI document says, whatever is asked: schemathesis asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from bioimageit_core.api import Request
from bioimageit_core.web.app import create_app
from bioimageit_core.web.serving import serving
from bioimageit_core.web.settings import Settings

TOKEN = "a-token-of-this-test"


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("schema")
    (folder / "w").mkdir()
    config = folder / "config.json"
    config.write_text(json.dumps({"workspace": str(folder / "w"), "log_dir": str(folder / "l")}))
    with Request(str(config), debug=False, log=False) as request:
        experiment = request.create_experiment("Cells", "ada", keys=["Day"])
        path = folder / "a.csv"
        path.write_text("a,b\n1,2\n")
        request.import_data(experiment, str(path), key_value_pairs={"Day": "1"})
        app = create_app(request, Settings(state_dir=str(folder / "s"), token=TOKEN))
        with serving(app) as url:
            yield schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_api_is_as_it_describes_itself(case: schemathesis.Case) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})
