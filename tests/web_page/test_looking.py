"""The viewer, lineage and plots in a browser."""

from __future__ import annotations

from typing import Any

import pytest
from page_steps import open_dataset, shoot, until

pytestmark = pytest.mark.browser


def test_an_image_has_channels_planes_contrast_and_a_scale_bar(page: Any) -> None:
    open_dataset(page, "data", "Five dimensions")
    page.get_by_role("option", name="five.ome.tif").dblclick()
    z = page.get_by_role("slider", name="Z", exact=True)
    z.wait_for()
    assert page.get_by_role("slider", name="T", exact=True).get_attribute("max") == "2"
    assert page.get_by_role("button", name="Show DAPI").get_attribute("aria-pressed") == "true"
    assert "µm" in page.locator(".scale-bar").inner_text()
    z.focus()
    page.keyboard.press("End")
    page.get_by_text("5 / 5").wait_for()
    highest = page.get_by_role("slider", name="Highest of GFP")
    before = highest.input_value()
    highest.focus()
    page.keyboard.press("PageDown")
    page.locator(".channel", has_text="GFP").filter(has_not_text=f"– {before}").wait_for()
    shoot(page, "viewer-five-dimensions")


def test_a_file_with_several_images_shows_each(page: Any) -> None:
    open_dataset(page, "data", "Five dimensions")
    page.get_by_role("option", name="two.tif").dblclick()
    page.get_by_text("Y 40 × X 60").wait_for()
    page.get_by_role("button", name="Image 1 of 2 in this file").click()
    page.get_by_role("option").nth(1).click()
    page.get_by_text("Y 30 × X 20").wait_for()


def test_labels_lie_over_the_image_that_they_were_made_of(page: Any) -> None:
    open_dataset(page, "data")
    page.get_by_role("option", name="A9 p5d.tif").dblclick()
    page.get_by_role("button", name="Labels over it").click()
    assert page.get_by_role("option", name="segmentation / table").count() == 0
    page.get_by_role("option", name="segmentation / labels").click()
    page.get_by_role("slider", name="Opacity").wait_for()
    until(page, "performance.getEntriesByType('resource').filter(each => /\\/(file|zarr)/.test(each.name)).length >= 2")
    shoot(page, "labels-over")


def test_input_and_output_are_compared_with_linked_views(page: Any) -> None:
    open_dataset(page, "segmentation")
    page.get_by_role("option", name="labels_A9 p5d").first.click()
    page.get_by_role("link", name="Compare with input").click()
    canvas = page.locator(".canvas")
    until(page, "document.querySelector('.canvas')?.dataset.zoomBeside")
    before = [float(canvas.get_attribute(f"data-zoom{side}") or 0) for side in ("", "-beside")]
    page.get_by_role("button", name="Zoom in").click()
    until(page, f"Number(document.querySelector('.canvas').dataset.zoom) > {before[0]} + 0.4")
    after = [float(canvas.get_attribute(f"data-zoom{side}") or 0) for side in ("", "-beside")]
    assert after[1] - before[1] == pytest.approx(after[0] - before[0], abs=0.01)
    shoot(page, "compare")


def test_lineage_is_a_graph_that_can_be_walked(page: Any) -> None:
    open_dataset(page, "data")
    page.get_by_role("option", name="A9 p5d.tif").click()
    page.get_by_role("complementary", name="Details").get_by_role("link", name="Lineage").click()
    page.locator(".node").nth(2).wait_for()
    until(page, "document.querySelector('.node').getBoundingClientRect().height >= 45")  # so that it is legible
    shoot(page, "lineage")
    page.locator(".node", has_text="labels_A9 p5d").click()
    page.get_by_role("link", name="Walk there").click()
    page.locator(".node[data-here]", has_text="labels_A9 p5d").wait_for()


def test_measurements_are_plotted_and_a_point_opens_its_image(page: Any) -> None:
    open_dataset(page, "segmentation")
    page.get_by_role("link", name="Plots").click()
    page.locator("svg.plot circle").first.wait_for()
    assert page.get_by_role("table").get_by_role("row").count() >= 2
    shoot(page, "distribution")
    page.get_by_role("tab", name="Scatter").click()
    page.get_by_role("img", name="against").or_(page.locator("svg.plot")).first.wait_for()
    point = page.locator("svg.plot circle").nth(3)
    box = point.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    shoot(page, "scatter")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url("**/view/**")
