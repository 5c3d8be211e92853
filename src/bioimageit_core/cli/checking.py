"""What ``bioimageit check`` finds, mends and shows."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from bioimageit_core.cli.output import show_json, show_table, show_text

if TYPE_CHECKING:
    from bioimageit_core.cli.session import Session
    from bioimageit_core.containers import Experiment
    from bioimageit_core.plugins.contracts import Finding

__all__ = ["find", "repair", "show"]


def find(
    session: Session, experiment: Experiment, has_content: bool, is_full: bool = False
) -> tuple[list[Finding], tuple[int, int]]:
    """Ask the data service what does not hold; return that, and how many files were not read again, or not known.

    Raises
    ------
    UnsupportedError
        The service cannot check.
    """
    spared = [(0, 0)]
    with session.progress("checking") as progress:
        findings = list(
            session.request.check_experiment(
                experiment,
                has_content,
                lambda done, total: progress.notify_progress(100 * done // max(total, 1), f"{done} of {total} data"),
                full=is_full or None,
                spared=lambda unchanged, unknown: spared.append((unchanged, unknown)),
            )
        )
    return findings, spared[-1]


def repair(session: Session, experiment: Experiment) -> list[str]:
    """Have the data service mend what can be mended without losing anything.

    Raises
    ------
    UnsupportedError
        The service cannot.
    """
    with session.progress("mending"):
        return list(session.request.repair_experiment(experiment))


def show(
    experiment: Experiment, repairs: list[str], findings: list[Finding], spared: tuple[int, int], as_json: bool
) -> None:
    """Show what was mended, and what does not hold."""
    if as_json:
        found = [dataclasses.asdict(finding) for finding in findings]
        said = {"experiment": experiment.md_uri, "repairs": repairs, "findings": found}
        show_json({**said, "not_read_again": spared[0], "not_comparable": spared[1]})
        return
    for text in repairs:
        show_text(f"mended: {text}")
    if not findings:
        show_text(f"{experiment.name}: everything holds")
    else:
        _show_findings(findings)
    if spared[0]:
        show_text(f"not read again, as unchanged since a check read them: {spared[0]} (--full reads them)")
    if spared[1]:
        show_text(f"not compared, as nothing tells what they were when they were stored: {spared[1]}")


def _show_findings(findings: list[Finding]) -> None:
    rows = ((finding.kind, finding.uri, finding.message) for finding in findings)
    show_table(["what", "where", "why"], rows, f"{len(findings)} found", len(findings))
    if any(finding.repairable for finding in findings):
        show_text("\nSome of it can be mended without losing anything: add --repair")
