"""What the tests of the page do again and again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
SCREENSHOTS = ROOT / "build" / "screenshots"
PASSWORD = "correct horse 7"
MANY = 1000


def shoot(page: Any, name: str) -> None:
    """Keep a picture of a page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def violations(page: Any) -> list[str]:
    """Return what axe finds wrong with a page."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]


def open_dataset(page: Any, dataset: str, experiment: str = "Nuclei") -> None:
    """Go to a dataset as a user does."""
    page.get_by_role("link", name=experiment, exact=True).click()
    if dataset != "data":
        page.get_by_role("navigation", name="Datasets").get_by_role("link", name=dataset).click()
    page.locator(".cell[role=option]").first.wait_for()


def until(page: Any, expression: str, seconds: float = 60) -> None:
    """Wait until an expression is true; the page's policy lets nothing but the driver evaluate it."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never true: {expression[:200]}"
        page.wait_for_timeout(50)
