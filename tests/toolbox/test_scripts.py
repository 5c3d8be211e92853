"""The scripts and their wrappers: options agree, one real run each, errors in one line, nothing of an image is lost."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lxml import etree

from bioimageit_core.core.wrappers.call import InputFile
from bioimageit_core.core.wrappers.engine import (
    collect_outputs,
    judge,
    output_specs,
    prepare_call,
    read_wrapper,
)
from bioimageit_core.samples import nuclei_pairs
from bioimageit_core.toolbox import toolbox_dir
from bioimageit_core.toolbox.imaging.agreement import agreement
from bioimageit_core.toolbox.imaging.image import Image
from bioimageit_core.toolbox.imaging.reading import read_image, read_labels
from bioimageit_core.toolbox.imaging.tables import read_table
from bioimageit_core.toolbox.imaging.writing import write_image

Make = Callable[..., Image]
WRAPPERS = sorted(toolbox_dir().glob("*/*.xml"))
SCRIPTS = [path.with_suffix(".py") for path in WRAPPERS]
TABLE_TOOLS = {"merge_tables", "summarise_tables"}


def stem(path: Path) -> str:
    return path.stem


def run(script: Path, *options: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a script in this process, as ``python script options`` would."""
    monkeypatch.setattr(sys, "argv", [str(script), *map(str, options)])
    monkeypatch.setattr(sys, "path", list(sys.path))
    runpy.run_path(str(script), run_name="__main__")


def inputs_of(case: etree._Element, wrapper: Path) -> tuple[dict[str, object], dict[str, str]]:
    root = etree.parse(wrapper).getroot()
    data = {p.get("argument").lstrip("-").replace("-", "_"): p for p in root.iterfind("inputs/param[@type='data']")}
    inputs: dict[str, object] = {}
    values: dict[str, str] = {}
    for param in case.iterfind("param"):
        name, value = param.get("name"), param.get("value")
        if name not in data:
            values[name] = value
            continue
        files = [
            InputFile(str(wrapper.parent / "test-data" / f), f, "csv" if ".csv" in f else "") for f in value.split(",")
        ]
        inputs[name] = files if data[name].get("multiple") else files[0]
    return inputs, values


@pytest.mark.parametrize("wrapper", WRAPPERS, ids=stem)
def test_the_options_of_a_wrapper_are_those_of_its_script(wrapper: Path) -> None:
    text = wrapper.read_text(encoding="utf-8")
    command = etree.fromstring(text.encode()).findtext("command")
    shown = subprocess.run(
        [sys.executable, str(wrapper.with_suffix(".py")), "--help"], capture_output=True, text=True, check=True
    ).stdout

    in_script = set(re.findall(r"^  (--[\w-]+)", shown, re.MULTILINE))
    flags = set(re.findall(r'argument="(--[\w-]+)" type="boolean"', text))
    in_command = set(re.findall(r"(?<![\w-])(--[\w-]+)", command)) | flags

    assert in_command == in_script
    assert f"'$__tool_directory__/{wrapper.stem}.py'" in command


@pytest.mark.parametrize("wrapper", WRAPPERS, ids=stem)
def test_a_wrapper_is_complete(wrapper: Path) -> None:
    tool = read_wrapper(wrapper)
    root = etree.parse(wrapper).getroot()

    assert tool.id == wrapper.stem
    assert tool.help.strip()
    assert root.get("profile") >= "21.09"
    assert root.find("command").get("detect_errors") == "exit_code"
    assert len(root.findall("tests/test")) >= 1
    assert all(param.get("label") for param in root.iterfind("inputs/param"))
    assert (wrapper.parent / ".shed.yml").read_text(encoding="utf-8").count("\n- ") == 1
    for case in root.iterfind("tests/test"):
        files = [
            file
            for group in inputs_of(case, wrapper)[0].values()
            for file in ([group] if isinstance(group, InputFile) else group)
        ]
        assert all(os.path.isfile(file.path) for file in files)


def test_the_test_data_stay_small() -> None:
    assert sum(path.stat().st_size for path in toolbox_dir().glob("*/test-data/*")) < 300_000


@pytest.mark.parametrize("wrapper", WRAPPERS, ids=stem)
def test_the_first_test_of_a_wrapper_runs_through_the_engine(wrapper: Path, tmp_path: Path) -> None:
    tool = read_wrapper(wrapper)
    inputs, values = inputs_of(etree.parse(wrapper).getroot().find("tests/test"), wrapper)
    outputs = {spec.name: str(tmp_path / f"out_{spec.name}") for spec in output_specs(tool, values, inputs)}
    call = prepare_call(tool, values, inputs, outputs, str(tmp_path / "job"))
    (tmp_path / "job").mkdir()
    for name, content in call.files.items():
        (tmp_path / "job" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "job" / name).write_text(content, encoding="utf-8")
    for name, source in call.links.items():
        (tmp_path / "job" / name).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(source, tmp_path / "job" / name)
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, **call.env, "PATH": path}

    done = subprocess.run(
        call.argv, cwd=call.job_dir, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )

    assert judge(tool, done.returncode, done.stdout, done.stderr) is None, done.stderr
    assert done.stderr == ""
    found = collect_outputs(tool, call, values, inputs)
    assert found
    for output in found:
        content = read_table(output.path) if output.format == "tablecsv" else read_image(output.path).data
        assert len(content) > 0


@pytest.mark.parametrize("script", SCRIPTS, ids=stem)
@pytest.mark.parametrize("trouble", ["truncated", "missing", "text"])
def test_a_bad_input_is_one_line_and_leaves_no_output(
    script: Path, trouble: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "bad file;.tif"
    if trouble == "truncated":
        whole = write_image(tmp_path / "whole", make("YX")).read_bytes()
        bad.write_bytes(whole[: len(whole) * 2 // 3])
        (tmp_path / "whole").unlink()
    elif trouble == "text":
        bad.write_text("neither an image,nor a table\n1,2,3\n")
    before = sorted(tmp_path.iterdir())
    extra: list[object] = []
    if script.stem == "register_translation":
        extra = ["--reference", bad]
    if script.stem in {"segment_nuclei", "register_translation", "correct_drift", "detect_spots"}:
        extra += ["--table", tmp_path / "table.csv"]
    out = "--output-dir" if script.stem in {"split_tiles", "split_channels"} else "--output"

    with pytest.raises(SystemExit) as caught:
        run(script, "--input", bad, out, tmp_path / "out", *extra, monkeypatch=monkeypatch)

    assert isinstance(caught.value.code, str)  # printed to stderr, exit status 1
    assert re.fullmatch(r"error: [^\n]*bad file;\.tif[^\n]*", caught.value.code)
    assert sorted(tmp_path.iterdir()) == before


def test_an_error_is_exit_status_1_and_no_traceback(tmp_path: Path) -> None:
    script = toolbox_dir() / "filters" / "gaussian_filter.py"
    argv = [sys.executable, str(script), "--input", str(tmp_path / "no.tif"), "--output", str(tmp_path / "out")]

    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == f"error: {tmp_path / 'no.tif'}: No such file or directory\n"


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "much", "1e9"])
def test_a_value_out_of_bounds_is_refused_with_its_option(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = toolbox_dir() / "filters" / "gaussian_filter.py"

    with pytest.raises(SystemExit) as caught:
        run(script, "--input", "x", "--output", tmp_path / "o", f"--sigma={value}", monkeypatch=monkeypatch)

    assert caught.value.code == 2
    assert "--sigma" in capsys.readouterr().err


KEEPERS: dict[str, list[object]] = {
    "gaussian_filter": [],
    "median_filter": [],
    "top_hat_filter": ["--radius", 3],
    "unsharp_mask": [],
    "find_edges": [],
    "threshold": [],
    "local_threshold": ["--window", 11],
    "morphology": [],
    "richardson_lucy": ["--iterations", 1],
    "correct_drift": ["--table", os.devnull],
    "register_translation": ["--table", os.devnull],
    "split_touching": ["--on", "intensity"],
    "label_components": [],
    "reassign_axes": [],
    "crop_image": ["--t", "0:", "--x", ":0"],
    "rescale_image": [],
    "convert_image": [],
    "edit_labels": ["--method", "relabel"],
}


@pytest.mark.parametrize("name", KEEPERS)
def test_a_script_keeps_axes_sizes_units_and_channel_names(
    name: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = make("TCZYX")
    write_image(tmp_path / "dataset_7.dat", image)
    (script,) = (path for path in SCRIPTS if path.stem == name)
    options = [tmp_path / f"{name}.csv" if option == os.devnull else option for option in KEEPERS[name]]
    options += ["--reference", tmp_path / "dataset_7.dat"] if name == "register_translation" else []

    run(
        script,
        "--input",
        tmp_path / "dataset_7.dat",
        "--output",
        tmp_path / "dataset_8.dat",
        *options,
        monkeypatch=monkeypatch,
    )
    result = read_image(tmp_path / "dataset_8.dat")

    assert (result.axes, result.data.shape) == (image.axes, image.data.shape)
    assert (result.pixel_sizes, result.units, result.channels) == (image.pixel_sizes, image.units, image.channels)


def test_labels_and_table_of_a_segmentation_agree(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = make("TCYX", "uint8", Y=48, X=64)
    write_image(tmp_path / "in", image)
    script = toolbox_dir() / "segmentation" / "segment_nuclei.py"
    options = [
        "--input",
        tmp_path / "in",
        "--channel",
        "DAPI",
        "--output",
        tmp_path / "out",
        "--table",
        tmp_path / "table",
    ]

    run(script, *options, monkeypatch=monkeypatch)

    labels, table = read_labels(tmp_path / "out"), read_table(tmp_path / "table")
    assert (labels.axes, labels.pixel_sizes, labels.units) == ("TYX", image.pixel_sizes, image.units)
    assert len(table) == sum(int(frame.max()) for frame in labels.data) > 0
    assert {"label", "t", "area_um2", "centroid_x_um", "mean_intensity_DAPI"} <= set(table.columns)
    for row in table:
        assert int(row["area_px"]) == (labels.data[int(row["t"])] == int(row["label"])).sum()


def test_nuclei_of_one_field_of_each_experiment_agree_with_the_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = toolbox_dir() / "segmentation" / "segment_nuclei.py"
    pairs = nuclei_pairs()
    scores = []

    for image, reference in (pairs[1], pairs[7]):
        options = ["--input", image, "--output", tmp_path / "out", "--table", tmp_path / "table"]
        run(script, *options, monkeypatch=monkeypatch)
        scores.append(agreement(read_labels(tmp_path / "out").data, read_labels(reference).data).f1)

    assert min(scores) >= 0.95


def test_channels_of_any_name_become_files_in_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image(np.zeros((3, 4, 4), np.uint8), "CYX", channels=("../../up", "a/b c", "…"))
    write_image(tmp_path / "in", image)
    script = toolbox_dir() / "axes" / "split_channels.py"

    run(script, "--input", tmp_path / "in", "--output-dir", tmp_path / "parts", monkeypatch=monkeypatch)

    names = sorted(path.name for path in (tmp_path / "parts").iterdir())
    assert names == ["C0_up.ome.tiff", "C1_a_b_c.ome.tiff", "C2.ome.tiff"]
    assert [read_image(tmp_path / "parts" / name).channels for name in names] == [(n,) for n in image.channels]


def test_what_a_script_says_of_axes_and_sizes_is_written(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "in", make("ZYX").replace(pixel_sizes={}, units={}))
    script = toolbox_dir() / "axes" / "reassign_axes.py"
    options = ["--axes", "CYX", "--channels", "a, b,c,d,e", "--pixel-size", 65, "--unit", "nm"]

    run(script, "--input", tmp_path / "in", "--output", tmp_path / "out", *options, monkeypatch=monkeypatch)
    result = read_image(tmp_path / "out")

    assert (result.axes, result.channels) == ("CYX", ("a", "b", "c", "d", "e"))
    assert (result.pixel_sizes, result.units) == ({"Y": 65, "X": 65}, {"Y": "nm", "X": "nm"})
