"""Finding, looking at and annotating data in a browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from page_steps import MANY, open_dataset, shoot, until

pytestmark = pytest.mark.browser


def test_experiments_are_listed_with_what_they_hold(page: Any) -> None:
    page.get_by_role("listitem").filter(has_text="Nuclei").filter(has_text="Culture").wait_for()
    shoot(page, "experiments")


def test_thumbnails_show_the_images_and_a_click_what_is_known(page: Any) -> None:
    open_dataset(page, "data")
    until(page, "document.querySelector('.cell img')?.naturalWidth > 0")
    page.get_by_role("option", name="A9 p5d.tif").click()
    details = page.get_by_role("complementary", name="Details")
    details.get_by_text("Y 450 × X 450").wait_for()
    shoot(page, "thumbnails")


def test_a_table_has_a_column_for_each_key(page: Any) -> None:
    open_dataset(page, "data")
    page.get_by_role("radio", name="Table").click()
    page.get_by_role("columnheader", name="Culture").wait_for()
    page.get_by_role("row").filter(has_text="f96 (17)").wait_for()
    shoot(page, "table")


def test_a_table_of_results_has_the_annotations_of_their_images(page: Any) -> None:
    open_dataset(page, "segmentation")
    page.get_by_role("radio", name="Table").click()
    page.locator(".trow", has_text="labels_A9 p5d").get_by_role("gridcell", name="A9", exact=True).wait_for()


def test_many_data_scroll_to_the_last_while_few_elements_exist(page: Any) -> None:
    open_dataset(page, "data", "Many")
    wall = page.get_by_role("listbox", name="Data")
    wall.focus()
    page.keyboard.press("End")
    page.locator(f".cell[aria-posinset='{MANY}']").wait_for()
    assert page.locator(".cell").count() < 200
    shoot(page, "many")
    page.keyboard.press("Home")
    page.locator(".cell[aria-posinset='1']").wait_for()


def test_a_query_is_completed_and_selects(page: Any) -> None:
    open_dataset(page, "data")
    query = page.get_by_role("combobox", name="Query")
    query.fill("Cul")
    page.get_by_role("option", name=re.compile("^Culture")).click()
    _until_value(page, query, "Culture")  # what is typed before the page took the choice would be lost in it
    query.press_sequentially("=A")
    _until_value(page, query, "Culture=A")
    page.get_by_role("option", name=re.compile("^A9.*value")).click()
    shoot(page, "completion")
    query.press("Enter")
    page.get_by_text("2 data", exact=True).wait_for()


def _until_value(page: Any, field: Any, value: str) -> None:
    for _ in range(600):
        if field.input_value() == value:
            return
        page.wait_for_timeout(50)
    pytest.fail(f"the field has {field.input_value()!r}, not {value!r}", pytrace=False)


def test_a_mistake_in_a_query_is_marked_at_its_place(page: Any) -> None:
    open_dataset(page, "data")
    query = page.get_by_role("combobox", name="Query")
    query.fill("Culture=A9 AND")
    query.press("Enter")
    page.locator(".query-error").wait_for()
    assert page.locator(".query-marks mark").count() == 1
    assert query.get_attribute("aria-invalid") == "true"
    shoot(page, "mistake")


def test_many_are_annotated_at_once_and_it_is_undone(page: Any) -> None:
    open_dataset(page, "data")
    page.get_by_role("option", name="A9 p5d.tif").click()
    page.get_by_role("option", name="A9 p7d.tif").click(modifiers=["Control"])
    page.get_by_role("button", name="Annotate").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Key", exact=True).fill("Stain")
    dialog.get_by_label("Value (empty takes the key away)").fill("DAPI")
    dialog.get_by_role("button", name="Set", exact=True).click()
    page.get_by_text("Stain = DAPI on 2 data").wait_for()
    page.locator(".cell-values", has_text="DAPI").nth(1).wait_for()
    shoot(page, "annotated")
    page.get_by_role("button", name="Undo").click()
    page.locator(".cell-values", has_text="DAPI").first.wait_for(state="hidden")


def test_what_is_written_into_names_and_values_is_shown_and_never_run(page: Any) -> None:
    open_dataset(page, "data", "<img src=x onerror=alert(1)>")
    page.locator(".cell").first.click()
    details = page.get_by_role("complementary", name="Details")
    details.get_by_text('"><svg onload=alert(1)>').wait_for()
    page.get_by_role("radio", name="Table").click()
    page.get_by_role("columnheader", name="<b>k</b>").wait_for()
    assert page.locator("main svg[onload], main img[src='x'], main b").count() == 0
    shoot(page, "markup")


def test_a_file_is_uploaded_and_becomes_data(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "note.csv"
    path.write_text("a,b\n1,2\n")
    open_dataset(page, "data", "Five dimensions")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload").click()
    chooser.value.set_files(path)
    page.get_by_role("option", name="note.csv").wait_for()


def test_the_keyboard_alone_selects_and_opens(page: Any) -> None:
    open_dataset(page, "data")
    wall = page.get_by_role("listbox", name="Data")
    wall.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.get_by_text("2 of 3 selected").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_url("**/view/**")


def test_data_are_downloaded_and_exported(page: Any) -> None:
    open_dataset(page, "data")
    page.get_by_role("option", name="A9 p5d.tif").click()
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Download").click()
    assert downloaded.value.suggested_filename == "A9 p5d.tif"
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as exported:
        page.get_by_role("menuitem", name="RO-Crate").click()
    assert exported.value.suggested_filename.endswith(".zip")
