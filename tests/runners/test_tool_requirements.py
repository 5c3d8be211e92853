"""What wrappers require, as they write it."""

from __future__ import annotations

import pytest

from bioimageit_core.containers import Tool
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.plugins.tool_requirements import Package, images_of, packages_of


def entry(name: str, type_: str = "package", version: str = "", origin: str = "package") -> dict[str, str]:
    return {"origin": origin, "type": type_, "name": name, "version": version, "env": ""}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (entry("scikit-image", version="0.22.0"), Package("scikit-image", "0.22.0")),
        (entry("NumPy"), Package("numpy")),
        (entry("-c conda-forge numpy=1.22", "conda"), Package("numpy", "1.22", channels=("conda-forge",))),
        (entry("--channel=imcf 'blur>=1,<2'", "conda"), Package("blur", constraint=">=1,<2", channels=("imcf",))),
        (entry("bioconda::bftools=6.7.0=hdfd_1", "conda"), Package("bftools", "6.7.0", channels=("bioconda",))),
        (entry("blur==1.2", "conda"), Package("blur", constraint="==1.2")),
        (entry("blur=1.2.*", "conda"), Package("blur", "1.2")),
        (entry("blur", "conda", version="3"), Package("blur", "3")),
    ],
)
def test_packages_of_either_dialect(written: dict[str, str], expected: Package) -> None:
    assert packages_of(Tool(requirements=[written])) == [expected]


@pytest.mark.parametrize(
    "written",
    [
        entry("-r /etc/passwd", "conda"),
        entry("--file=x", "conda"),
        entry("-c '$(id)' blur", "conda"),
        entry("-c -x blur", "conda"),
        entry("blur @ file:///tmp/x", "conda"),
        entry("../blur"),
        entry("-blur"),
        entry("blur", version="1; rm -rf ~"),
        entry("blur", version="1,"),
        entry("blur 'open", "conda"),
    ],
)
def test_what_is_no_package_is_refused(written: dict[str, str]) -> None:
    with pytest.raises(RunnerExecError, match=r"tool 'x_v1' requires"):
        packages_of(Tool(id="x", version="1", requirements=[written]))


def test_requirements_of_other_kinds_are_no_packages() -> None:
    written = [entry("PATH", "set_environment"), entry("alpine", "docker", origin="container"), entry("", "conda")]

    assert packages_of(Tool(requirements=written)) == []


def test_images_come_in_the_order_of_the_kinds_asked_for() -> None:
    tool = Tool(
        requirements=[
            entry("a:1", "docker", origin="container"),
            entry("b.sif", "singularity", origin="container"),
            entry("c:1", "docker", origin="container"),
        ]
    )

    assert images_of(tool, "singularity", "docker") == ["b.sif", "a:1", "c:1"]
