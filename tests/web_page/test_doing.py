"""Running tools, rights, and how the page suits people and devices."""

from __future__ import annotations

from typing import Any

import pytest
from page_steps import PASSWORD, open_dataset, shoot, violations

pytestmark = pytest.mark.browser


def test_a_form_refuses_what_the_wrapper_does_and_a_job_is_watched(page: Any) -> None:
    open_dataset(page, "data")
    page.get_by_role("option", name="A9 p5d.tif").click()
    page.get_by_role("button", name="Run a tool").click()
    page.get_by_label("Find a tool").fill("gaussian")
    page.get_by_role("link", name="Gaussian filter").click()
    number = page.locator(".input-number").first
    kept = number.input_value()
    number.fill("much")
    page.locator(".field-error").first.wait_for()
    assert page.get_by_role("button", name="Run", exact=True).is_disabled()
    shoot(page, "form-mistake")
    number.fill(kept)
    page.get_by_label("Name of the output dataset").fill("smoothed")
    page.get_by_role("button", name="What would be done").click()
    page.get_by_role("heading", name="1 task").wait_for()
    shoot(page, "form")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("heading", name="gaussian").wait_for()
    page.locator(".job-row .state-done").wait_for(timeout=60_000)
    page.locator(".job-row button").click()
    page.get_by_text("command:").wait_for()
    shoot(page, "job")


def test_a_reader_signs_in_and_cannot_change_anything(chromium: Any, place: Any) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(place.url)
    page.get_by_label("Name").fill("eve")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    shoot(page, "sign-in")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    open_dataset(page, "data")
    for name in ("Annotate", "Run a tool", "Upload"):
        assert page.get_by_role("button", name=name).count() == 0
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.get_by_role("heading", name="Experiments").wait_for()
    found = {"experiments": violations(page)}
    shoot(page, f"experiments-{scheme}")
    open_dataset(page, "data")
    page.get_by_role("option", name="A9 p5d.tif").click()
    page.get_by_role("link", name="Download").wait_for()
    found["dataset"] = violations(page)
    page.get_by_role("radio", name="Table").click()
    found["table"] = violations(page)
    shoot(page, f"dataset-{scheme}")
    page.get_by_role("link", name="View", exact=True).click()
    page.get_by_role("button", name="Zoom in").wait_for()
    found["viewer"] = violations(page)
    shoot(page, f"viewer-{scheme}")
    page.get_by_role("link", name="Lineage").click()
    page.locator(".node").first.wait_for()
    found["lineage"] = violations(page)
    datasets = page.get_by_role("navigation", name="Datasets")
    datasets.get_by_role("link", name="segmentation").click()
    page.get_by_role("link", name="Plots").click()
    page.locator("svg.plot circle").first.wait_for()
    found["plots"] = violations(page)
    shoot(page, f"plots-{scheme}")
    datasets.get_by_role("link", name="Run a tool").click()
    page.get_by_role("link", name="Segment nuclei").click()
    page.get_by_role("button", name="Run", exact=True).wait_for()
    found["form"] = violations(page)
    shoot(page, f"form-{scheme}")
    assert {place: said for place, said in found.items() if said} == {}


def test_a_phone_shows_all_without_scrolling_sideways(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 780})
    page.get_by_role("link", name="Nuclei", exact=True).click()
    page.get_by_role("button", name="Datasets").click()
    page.keyboard.press("Escape")
    page.locator(".shell:not([data-drawer])").wait_for()
    page.get_by_role("button", name="Datasets").click()
    page.get_by_role("navigation", name="Datasets").get_by_role("link", name="segmentation").click()
    page.locator(".cell[role=option]").first.wait_for()
    widths = [page.evaluate("document.documentElement.scrollWidth")]
    buttons = page.get_by_role("toolbar", name="With the data").get_by_role("button")
    edges = buttons.evaluate_all("found => found.map(each => each.getBoundingClientRect().right)")
    shoot(page, "phone")
    page.locator(".cell").first.click()
    page.get_by_role("link", name="View", exact=True).first.click()
    page.get_by_role("button", name="Zoom in").wait_for()
    widths.append(page.evaluate("document.documentElement.scrollWidth"))
    shoot(page, "phone-viewer")
    assert violations(page) == []
    assert max(widths) <= 390
    assert len(edges) >= 4
    assert max(edges) <= 390


def test_a_job_is_cancelled(page: Any) -> None:
    open_dataset(page, "data")
    page.get_by_role("button", name="Run a tool").click()
    page.get_by_label("Find a tool").fill("wait")
    page.get_by_role("link", name="Wait a minute").click()
    page.get_by_text("Help", exact=True).click()
    page.get_by_text("<script>alert(1)</script>").wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".job-row .state-running").first.wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.locator(".page-head .state-cancelled").wait_for()
    shoot(page, "cancelled")


def test_results_of_changed_inputs_are_said_to_be_stale(page: Any, place: Any) -> None:
    open_dataset(page, "smoothed", "Changing")
    page.get_by_text("Up to date").wait_for()
    image = next((place.workspace / "Changing" / "data").glob("*.tif"))
    image.write_bytes(image.read_bytes() + b"0")
    page.reload()
    page.locator(".banner-warn, .status-stale").first.wait_for()
    shoot(page, "stale")


def test_the_address_with_the_token_signs_in(chromium: Any, place: Any) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{place.url}#token={place.token}")
    page.get_by_role("heading", name="Experiments").wait_for()
    assert place.token not in page.url
    context.close()
