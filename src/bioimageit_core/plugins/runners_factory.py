"""The runner services by name; module and object are part of the published contract."""

from bioimageit_core.plugins.registry import ServiceRegistry

__all__ = ["runnerServices"]

runnerServices = ServiceRegistry(  # noqa: N816 - the published name
    "runner",
    {
        "CONDA": "bioimageit_core.plugins.runner_conda:CondaRunnerServiceBuilder",
        "DOCKER": "bioimageit_core.plugins.runner_container:DockerRunnerServiceBuilder",
        "LOCAL": "bioimageit_core.plugins.runner_local:LocalRunnerServiceBuilder",
        "PODMAN": "bioimageit_core.plugins.runner_container:PodmanRunnerServiceBuilder",
        "SINGULARITY": "bioimageit_core.plugins.runner_singularity:SingularityRunnerServiceBuilder",
        "UV": "bioimageit_core.plugins.runner_uv:UvRunnerServiceBuilder",
    },
)
