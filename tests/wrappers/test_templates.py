from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers import Collection, InputFile, prepare_call, read_wrapper

Render = Callable[..., str]

SELECT = (
    '<param name="s" type="select"><option value="a" selected="true">A</option><option value="b">B</option></param>'
)
MANY = '<param name="m" type="select" multiple="true"><option value="a">A</option><option value="b">B</option></param>'
COND = (
    '<conditional name="c"><param name="sel" type="select"><option value="a">A</option><option value="b">B</option>'
    '</param><when value="a"><param name="x" type="integer" value="3"/></when><when value="b">'
    '<param name="x" type="text" value="t"/></when></conditional>'
)
REPEAT = '<repeat name="r"><param name="y" type="integer" value="1"/></repeat>'
BOOL = '<param name="flag" type="boolean" truevalue="--on" falsevalue=""/>'
NUMBERS = '<param name="i" type="integer" value="3"/><param name="f" type="float" value="1.5"/>'
OPTIONAL = '<param name="o" type="integer" optional="true"/>'
TEXT = '<param name="t" type="text" value="a b"/>'


@pytest.mark.parametrize(
    ("command", "inputs", "values", "expected"),
    [
        ("x $i ${f}", NUMBERS, {}, "x 3 1.5"),
        ("x #echo $i + 1", NUMBERS, {}, "x 4"),
        ("x #echo int($i) * 2 + float($f)", NUMBERS, {}, "x 7.5"),
        ("#if $i > 2\nbig\n#else\nsmall\n#end if", NUMBERS, {}, "big"),
        ("#if $i == '3' and $i == 3 and $i != 4 and $f >= 1.5\nyes\n#end if", NUMBERS, {}, "yes"),
        ("#if str($i) == '3'\nyes\n#end if", NUMBERS, {}, "yes"),
        ("x ${i * 2} ${f / 2} ${-$i} ${i + 'px'}", NUMBERS, {}, "x 6 0.75 -3 3px"),
        ("x #echo '%d-%.2f' % ($i, $f)", NUMBERS, {}, "x 3-1.50"),
        ("x ${'{:03d}'.format(int($i))} #echo list(range($i))", NUMBERS, {}, "x 003 [0, 1, 2]"),
        ("x $flag", BOOL, {"flag": True}, "x --on"),
        ("x $flag y", BOOL, {"flag": "false"}, "x  y"),
        ("#if $flag\nyes\n#else\nno\n#end if", BOOL, {"flag": False}, "no"),
        ("#if $flag == True and str($flag) == '--on' and $flag == '--on' and $flag == 'true'\ny\n#end if", BOOL,
         {"flag": "--on"}, "y"),
        ("#if not $flag and $flag == False and $flag == 'false'\ny\n#end if", BOOL, {}, "y"),
        ("x '$s' #if $s == 'a' then 'one' else 'two'#", SELECT, {}, "x 'a' one"),
        ("#if $s in ['a', 'c']\ny\n#end if", SELECT, {}, "y"),
        ("x $s.value ${s.upper()} $s.value_label", SELECT, {"s": "b"}, "x b B B"),
        ("x '$m' #for $e in $m\n[$e]\n#end for", MANY, {"m": "a,b"}, "x 'a,b' [a] [b]"),
        ("x #if 'b' in $m\ny\n#end if\n${len($m)} ${' '.join($m)}", MANY, {"m": ["b"]}, "x y 1 b"),
        ("#if $m\ny\n#else\nno $m\n#end if", MANY, {}, "no None"),
        ("#for $e in str($m).split(',')\n$e\n#end for", MANY, {"m": ["a", "b"]}, "a b"),
        ("$c.sel ${c.x} $c['x'] ${c['sel']}", COND, {"c": {"sel": "a", "x": 5}}, "a 5 5 a"),
        ("$c.x", COND, {"c|sel": "b", "c|x": "u"}, "u"),
        ("$c.__current_case__", COND, {"c|sel": "b"}, "1"),
        ("#for $n, $r in enumerate($r)\n-$n $r.y\n#end for", REPEAT, {"r": [{"y": 4}, {"y": 5}]}, "-0 4 -1 5"),
        ("#for $q in $r\n${q['y']} $q.__index__\n#end for\n${len($r)}", REPEAT, {"r_0|y": 4, "r_1|y": 5}, "4 0 5 1 2"),
        ("#if $r\ny\n#else\nn\n#end if\n$r[0].y", REPEAT, {"r": [{"y": 4}]}, "y 4"),
        ("x #if $o\n--o $o\n#end if\ny", OPTIONAL, {}, "x y"),
        ("x #if str($o) != ''\n--o $o\n#end if\ny", OPTIONAL, {"o": 0}, "x --o 0 y"),
        ("#if $o == '' and $o == None\ny\n#end if", OPTIONAL, {}, "y"),
        ("#if $o is not None and str($o)\ny $o\n#end if", OPTIONAL, {"o": "2"}, "y 2"),
        ("'$t' ${t.split(' ')[1]} ${t.replace(' ', '_')} $t.strip() $len($t)", TEXT, {}, "'a b' b a_b a b 3"),
        ("#import re\n#set $u = re.sub('[^a]', '-', str($t))\n$u", TEXT, {}, "a--"),
        ("#set $z = 'q'\n#set $l = [$z + $e for $e in ['1', '2']]\n${','.join($l)}", "", {}, "q1,q2"),
        ("#def twice(v)\n$v$v#slurp\n#end def\n$twice('k') ", "", {}, "kk"),
        ("#silent [1].append(2)\nx", "", {}, "x"),
        ("## a comment\nx", "", {}, "x"),
        ("echo \\${GALAXY_SLOTS:-1} \\$HOME", "", {}, "echo ${GALAXY_SLOTS:-1} $HOME"),
        ("$getVar('t', 'none') $getVar('nope', 'none') $varExists('t') $varExists('nope')", TEXT, {},
         "a b none True False"),
        ("#if $getVar('c.x', None) is not None\ny\n#end if", COND, {}, "y"),
        ("$tool.name $tool.id $tool.version", "", {}, "A tool t 1.0"),
        ("$__user_email__ $__user_name__", "", {}, "user@localhost.localdomain user"),
        ("x #if $i.value == 3\ny\n#end if", NUMBERS, {}, "x y"),
        ("#try\n$nope\n#except\nno\n#end try", "", {}, "no"),
        ("#set global $g = 4\n$g", "", {}, "4"),
        ("#from os.path import basename\n$basename('/a/b')", "", {}, "b"),
        ("$os.path.basename('/a/b')", "", {}, "b"),
        ("#unless $flag\ny\n#end unless", BOOL, {}, "y"),
        ("#set $x = {'a': 1}\n$x['a'] $x.a", "", {}, "1 1"),
        ("#if $f < 2 and 1 < $i <= 3 and max($i, 9) == 9\ny\n#end if", NUMBERS, {}, "y"),
        ("#raw\n$i #if\n#end raw", NUMBERS, {}, "$i #if"),
    ],
)  # fmt: skip
def test_a_template_sees_typed_values(
    render: Render, command: str, inputs: str, values: dict[str, Any], expected: str
) -> None:
    assert " ".join(render(command, inputs, values).split()) == " ".join(expected.split())


@pytest.mark.parametrize("name", ["tool", "write", "trans", "self", "filter", "input", "time", "respond", "getVar"])
def test_a_parameter_is_not_hidden_by_a_builtin_of_its_name(render: Render, name: str) -> None:
    assert render(f"x ${name}", f'<param name="{name}" type="integer" value="7"/>') == "x 7"


@pytest.mark.parametrize("name", ["input", "filter", "type", "id", "nope", "nope.x", "exit", "os", "Template"])
def test_a_name_that_is_no_parameter_is_an_error_and_never_a_builtin_of_python(render: Render, name: str) -> None:
    with pytest.raises(ToolsServiceError, match=name.partition(".")[0]):
        render(f"x ${name}")


def test_bare_input_does_not_read_from_standard_input(render: Render) -> None:
    with pytest.raises(ToolsServiceError, match="standard input"):
        render("x #echo input()")


DATA = '<param name="input" type="data" format="tiff,png,zarr"/>'


def test_a_data_gives_its_staged_path_its_type_and_its_name(
    render: Render, data_file: Callable[..., InputFile]
) -> None:
    file = data_file("my cells.ome.tif", width="12")

    text = render(
        "'$input' $input.ext ${input.extension} '$input.element_identifier' '$input.name' $input.metadata.width "
        "$input.is_of_type('tiff') $input.is_of_type('png', 'jpg') ${input.dataset.extra_files_path}",
        DATA,
        files={"input": file},
    )

    path, rest = text.split("' ", 1)
    assert path.endswith("/job/inputs/dataset_1.dat")
    assert rest.startswith("ome.tiff ome.tiff 'my cells.ome.tif' 'my cells.ome.tif' 12 True False ")
    assert rest.endswith("/inputs/dataset_1_files")


def test_what_is_not_known_of_a_data_reads_as_in_galaxy(render: Render, data_file: Callable[..., InputFile]) -> None:
    inputs = '<param name="image" type="data" format="tiff"/><param name="table" type="data" format="tabular"/>'
    files = {"image": data_file(), "table": data_file("a.tsv", "", "tabletsv")}

    text = render(
        "$image.metadata.axes $image.metadata.dbkey #if $image.metadata.columns is None\nnone\n#end if\n"
        "$table.metadata.columns $table.metadata.data_lines $table.metadata.column_names",
        inputs,
        files=files,
    )

    assert text.split() == ["None", "?", "none", "0", "0", "[]"]


def test_an_optional_data_without_a_file_is_false_and_reads_none(render: Render) -> None:
    inputs = '<param name="mask" type="data" format="tiff" optional="true"/>'
    text = render("#if $mask\nyes\n#else\nno\n#end if\n$mask #if $mask == 'None'\nnone\n#end if", inputs)
    assert text.split() == ["no", "None", "none"]


def test_several_data_are_iterated_and_joined(render: Render, data_file: Callable[..., InputFile]) -> None:
    inputs = '<param name="inputs" type="data" format="tiff" multiple="true"/>'
    files = {"inputs": [data_file("a.tif"), data_file("b.tif")]}

    text = render(
        "#for $i, $f in enumerate($inputs)\n$i '$f.element_identifier'\n#end for\n"
        "${len($inputs)} #echo str($inputs).count(',')",
        inputs,
        files=files,
    )

    assert " ".join(text.split()) == "0 'a.tif' 1 'b.tif' 2 1"


def test_collections_give_their_elements_by_name_attribute_and_number(
    render: Render, data_file: Callable[..., InputFile]
) -> None:
    inputs = (
        '<param name="pair" type="data_collection" collection_type="paired" format="tiff"/>'
        '<param name="many" type="data_collection" collection_type="list" format="tiff"/>'
    )
    one, two = data_file("a.tif"), data_file("b.tif")
    files = {"pair": Collection("paired", {"forward": one, "reverse": two}), "many": [one, two]}

    text = render(
        "$pair.forward.name $pair['reverse'].name $many[0].element_identifier $many.keys() $many.is_collection "
        "#for $k, $v in $many.items()\n$k=$v.ext\n#end for\n#for $e in $many\n$e.element_identifier\n#end for",
        inputs,
        files=files,
    )

    assert " ".join(text.split()) == ("a.tif b.tif a.tif ['a.tif', 'b.tif'] True a.tif=tiff b.tif=tiff a.tif b.tif")


def test_outputs_give_paths_in_the_job_directory(render: Render) -> None:
    outputs = '<data name="out" format="png"/><collection name="many" type="list"/>'
    text = render("'$out' $out.ext '$out.extra_files_path'", outputs=outputs)
    assert "/job/outputs/dataset_out.dat' png '" in text
    assert text.endswith("/job/outputs/dataset_out_files'")


def test_a_zarr_directory_is_staged_as_extra_files(render: Render, data_file: Callable[..., InputFile]) -> None:
    file = data_file("plate.zarr", format_="imagezarr")
    text = render("'$input.extra_files_path/$input.metadata.store_root' $input.ext", DATA, files={"input": file})
    assert text.endswith("/job/inputs/dataset_1_files/data.zarr' zarr")


def test_the_paths_of_many_files_are_written_into_one(
    make_tool: Callable[..., str], data_file: Callable[..., InputFile], tmp_path: Path
) -> None:
    tool = read_wrapper(make_tool("cat '$input.paths_as_file'", DATA.replace("/>", ' multiple="true"/>'), ""))
    files = {"input": [data_file("a.tif"), data_file("b.tif")]}
    call = prepare_call(tool, {}, files, {}, str(tmp_path))

    assert call.files["tool_script.sh"].endswith(f"cat '{tmp_path}/configs/list_0'\n")
    assert call.files["configs/list_0"] == f"{tmp_path}/inputs/dataset_1.dat\n{tmp_path}/inputs/dataset_2.dat"


def test_the_lines_of_a_command_become_one_line(render: Render) -> None:
    assert render("\n  a \n b\n") == "a b"


def test_an_interpreter_finds_the_script_beside_the_wrapper(render: Render) -> None:
    text = render("x.py $i", NUMBERS, command_attributes='interpreter="python"', head="")
    assert text.split(" ", 1)[0] == "python"
    assert text.endswith("/tool/x.py 3")


def test_a_template_that_is_none_is_an_error_naming_the_line(render: Render) -> None:
    with pytest.raises(ToolsServiceError, match=r"tool\.xml:\d+: .*"):
        render("#if $i\nx", NUMBERS)


def test_sanitized_text_is_what_every_method_of_it_works_on(render: Render) -> None:
    text = render("${t.strip()}|$t.value|${t + $t}|${t[0]}|#echo ','.join($t.split(','))#", TEXT, {"t": "$(x);'"})
    assert "$(" not in text
    assert ";" not in text
    assert "'" not in text


OLD_IDIOMS = [
    ("#if {'a': 1}.has_key('a')\nyes\n#end if", "yes"),
    ("#set d = {'a': 1}\n#if $d.has_key('a')\nyes\n#end if", "yes"),
    ("#set d = {'a': 1}\n#for $k, $v in $d.iteritems()\n$k$v\n#end for", "a1"),
    ("#if isinstance('a', basestring)\nyes\n#end if", "yes"),
    ("#if $i != unicode('a')\nyes\n#end if", "yes"),
    ("#if $i <> 2\nyes\n#end if", "yes"),
    ("#set m = map(str, [1, 2])\n#echo m[0] + m[1]", "12"),
    ("#try\n#silent int('a')\n#except ValueError, e\n$type(e).__name__\n#end try", "ValueError"),
    ("#for $x in xrange(2)\n$x\n#end for", "0 1"),
]


@pytest.mark.parametrize(("template", "expected"), OLD_IDIOMS)
def test_templates_of_python_2_are_filled_for_wrappers_of_old_profiles(
    render: Render, template: str, expected: str
) -> None:
    assert " ".join(render(template, NUMBERS, head='profile="18.01"').split()) == expected


@pytest.mark.parametrize(
    ("template", "said"), [("#if $i <> 2\nyes\n#end if", "not a template"), ("#echo basestring", "basestring")]
)
def test_newer_wrappers_are_told_what_is_not_of_python_3(render: Render, template: str, said: str) -> None:
    with pytest.raises(ToolsServiceError, match=said):
        render(template, NUMBERS)


def test_what_no_translation_helps_says_what_was_wrong_first(render: Render) -> None:
    with pytest.raises(ToolsServiceError, match="ZeroDivisionError"):
        render("#echo 1 / ($i - 3)", NUMBERS, head='profile="18.01"')
