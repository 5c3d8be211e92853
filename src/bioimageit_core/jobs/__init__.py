"""Jobs: plan, execute, record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioimageit_core.jobs.direct import exec_tool
    from bioimageit_core.jobs.errors import JobCancelledError, JobError, PreflightError
    from bioimageit_core.jobs.execute import Limits
    from bioimageit_core.jobs.pipelines import run_pipeline
    from bioimageit_core.jobs.plan import Plan, plan_job
    from bioimageit_core.jobs.pool import Stop
    from bioimageit_core.jobs.replay import Verdict, replay_dataset
    from bioimageit_core.jobs.run import run_job
    from bioimageit_core.jobs.selection import Lineage, get_origin, get_parent, select_data
    from bioimageit_core.jobs.staleness import Reason, dataset_status

__all__ = [
    "JobCancelledError",
    "JobError",
    "Limits",
    "Lineage",
    "Plan",
    "PreflightError",
    "Reason",
    "Stop",
    "Verdict",
    "dataset_status",
    "exec_tool",
    "get_origin",
    "get_parent",
    "plan_job",
    "replay_dataset",
    "run_job",
    "run_pipeline",
    "select_data",
]

_HOMES = {
    "JobCancelledError": "errors",
    "JobError": "errors",
    "PreflightError": "errors",
    "Limits": "execute",
    "Plan": "plan",
    "plan_job": "plan",
    "Stop": "pool",
    "replay_dataset": "replay",
    "Verdict": "replay",
    "dataset_status": "staleness",
    "Reason": "staleness",
    "run_job": "run",
    "run_pipeline": "pipelines",
    "exec_tool": "direct",
    "Lineage": "selection",
    "get_origin": "selection",
    "get_parent": "selection",
    "select_data": "selection",
}


def __getattr__(name: str) -> Any:
    # resolved on first use, so that importing the package costs nothing
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
