from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from bioimageit_core.core.wrappers import Collection, InputFile, ParameterError, check_values, read_wrapper

INPUTS = """
<param name="input" type="data" format="tiff"/>
<param name="n" type="integer" value="3" min="1" max="9"/>
<param name="f" type="float" value="1.5"/>
<param name="flag" type="boolean" truevalue="--on" falsevalue=""/>
<param name="s" type="select"><option value="a">First</option><option value="b">Second</option></param>
<param name="m" type="select" multiple="true"><option value="x">X</option><option value="y" selected="true">Y</option>
</param>
<param name="t" type="text" value="hello"/>
<param name="o" type="float" optional="true"/>
<param name="colour" type="color" value="#ff0000"/>
<param name="col" type="data_column" data_ref="input" optional="true"/>
<conditional name="c"><param name="sel" type="select"><option value="a">A</option><option value="b">B</option></param>
  <when value="a"><param name="x" type="integer" value="1"/></when>
  <when value="b"><section name="in"><param name="x" type="float" value="0.5"/></section></when></conditional>
<repeat name="r" min="1" max="3"><param name="y" type="integer" value="7"/></repeat>
"""
DEFAULTS = {
    "n": 3,
    "f": 1.5,
    "flag": False,
    "s": "a",
    "m": ["y"],
    "t": "hello",
    "o": None,
    "colour": "#ff0000",
    "col": None,
    "c|sel": "a",
    "c|x": 1,
    "r_0|y": 7,
}


def test_defaults_fill_what_is_not_given(make_tool: Callable[..., str]) -> None:
    assert check_values(read_wrapper(make_tool(inputs=INPUTS)), {}) == DEFAULTS


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"n": "4"}, {"n": 4}),
        ({"n": 5.0}, {"n": 5}),
        ({"f": "1e-3"}, {"f": 0.001}),
        ({"f": 2}, {"f": 2.0}),
        ({"flag": "yes"}, {"flag": True}),
        ({"flag": "--on"}, {"flag": True}),
        ({"flag": ""}, {"flag": False}),
        ({"s": "Second"}, {"s": "b"}),
        ({"m": "x,y"}, {"m": ["x", "y"]}),
        ({"m": []}, {"m": []}),
        ({"t": ""}, {"t": ""}),
        ({"t": 12}, {"t": "12"}),
        ({"o": "2"}, {"o": 2.0}),
        ({"o": ""}, {"o": None}),
        ({"colour": "#00FF7f"}, {"colour": "#00FF7f"}),
        ({"col": "c2"}, {"col": "2"}),
        ({"c": {"sel": "a", "x": "8"}}, {"c|x": 8}),
        ({"c|x": 8}, {"c|x": 8}),
        ({"r": [{"y": 1}, {"y": 2}]}, {"r_0|y": 1, "r_1|y": 2}),
        ({"r_1|y": 2}, {"r_1|y": 2}),
        ({"y": 3}, {"r_0|y": 3}),
    ],
)
def test_values_get_the_type_of_their_parameter(
    make_tool: Callable[..., str], given: dict[str, Any], changed: dict[str, Any]
) -> None:
    assert check_values(read_wrapper(make_tool(inputs=INPUTS)), given) == DEFAULTS | changed


def test_the_other_case_of_a_conditional_has_its_own_parameters(make_tool: Callable[..., str]) -> None:
    found = check_values(read_wrapper(make_tool(inputs=INPUTS)), {"c": {"sel": "b", "in": {"x": 2}}})
    assert {key: value for key, value in found.items() if key.startswith("c|")} == {"c|sel": "b", "c|in|x": 2.0}


@pytest.mark.parametrize(
    ("given", "name", "said"),
    [
        ({"n": "x"}, "n", "not a whole number"),
        ({"n": 1.5}, "n", "not a whole number"),
        ({"n": True}, "n", "not a number"),
        ({"n": 10}, "n", "10 is not at most 9"),
        ({"n": 0}, "n", "0 is not at least 1"),
        ({"n": "١"}, "n", "not a whole number"),
        ({"n": ""}, "n", "needs a value"),
        ({"f": "nan"}, "f", "not a number"),
        ({"f": "1_0"}, "f", "not a number"),
        ({"f": [1]}, "f", "not a number"),
        ({"flag": "maybe"}, "flag", "neither true nor false"),
        ({"s": "c"}, "s", "'c' is not one of a, b"),
        ({"s": ["a", "b"]}, "s", "takes one choice"),
        ({"m": "x,z"}, "m", "'z' is not one of"),
        ({"t": ["a"]}, "t", "takes a text"),
        ({"t": "a\0b"}, "t", "NUL"),
        ({"colour": "red"}, "colour", "#rrggbb"),
        ({"col": "0"}, "col", "number of a column"),
        ({"c|sel": "z"}, "c|sel", "not one of"),
        ({"c|sel": "b", "c|x": 3}, "c|x", "is not used with the other values"),
        ({"r": [{"y": 1}] * 4}, "r", "at most 3"),
        ({"r_99999999|y": 1}, "r", "more than"),
        ({"input": "a.tif"}, "input", "takes files"),
        ({"nn": 3}, "nn", "did you mean 'n'"),
        ({"sigma": 3}, "sigma", "is not a parameter of this tool; known are"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_that_names_it(
    make_tool: Callable[..., str], given: dict[str, Any], name: str, said: str
) -> None:
    with pytest.raises(ParameterError) as raised:
        check_values(read_wrapper(make_tool(inputs=INPUTS)), given)
    assert said in raised.value.problems[name]


def test_all_problems_are_told_at_once_and_the_error_travels(make_tool: Callable[..., str]) -> None:
    with pytest.raises(ParameterError) as raised:
        check_values(read_wrapper(make_tool(inputs=INPUTS)), {"n": "x", "s": "q", "zz": 1}, {})
    assert set(raised.value.problems) == {"n", "s", "zz", "input"}
    again = pickle.loads(pickle.dumps(raised.value))
    assert str(again) == str(raised.value)


def test_checking_what_was_checked_changes_nothing(make_tool: Callable[..., str]) -> None:
    tool = read_wrapper(make_tool(inputs=INPUTS))
    once = check_values(tool, {"c": {"sel": "b"}, "flag": True, "m": []})
    assert check_values(tool, once) == once


@pytest.mark.parametrize(
    ("kind", "validator", "good", "bad"),
    [
        ("integer", '<validator type="in_range" min="1" max="3"/>', 3, 4),
        ("float", '<validator type="in_range" min="0" exclude_min="true"/>', 0.1, 0),
        ("text", '<validator type="length" min="2" max="3"/>', "ab", "a"),
        ("text", '<validator type="regex">^[a-z]+$</validator>', "ab", "a1"),
        ("text", '<validator type="regex" negate="true">.*x</validator>', "ab", "ax"),
        ("text", '<validator type="empty_field"/>', "a", " "),
        ("text", '<validator type="expression">len(value.split(",")) == 2</validator>', "a,b", "a"),
        ("integer", '<validator type="expression">value % 2 == 1</validator>', 3, 4),
        ("text", '<validator type="expression">int(value) > 2</validator>', "3", "three"),
    ],
)
def test_validators_are_run(make_tool: Callable[..., str], kind: str, validator: str, good: Any, bad: Any) -> None:
    optional = ' optional="true"'
    tool = read_wrapper(make_tool("x $v", f'<param name="v" type="{kind}"{optional}>{validator}</param>'))
    assert check_values(tool, {"v": good})["v"] == good
    with pytest.raises(ParameterError, match="'v'"):
        check_values(tool, {"v": bad})


def test_a_validators_message_is_the_one_of_the_wrapper(make_tool: Callable[..., str]) -> None:
    validator = '<validator type="in_range" max="3" message="An odd radius, please"/>'
    tool = read_wrapper(make_tool("x $v", f'<param name="v" type="integer" value="1">{validator}</param>'))
    with pytest.raises(ParameterError, match="An odd radius, please"):
        check_values(tool, {"v": 5})


@pytest.mark.parametrize(
    ("validator", "facts", "is_good"),
    [
        ('<validator type="dataset_metadata_in_range" metadata_name="columns" min="2"/>', {"columns": "3"}, True),
        ('<validator type="dataset_metadata_in_range" metadata_name="columns" min="2"/>', {"columns": "1"}, False),
        ('<validator type="dataset_metadata_equal" metadata_name="depth" value="1"/>', {"depth": "4"}, False),
        ('<validator type="metadata" check="columns"/>', {"columns": "3"}, True),
        ('<validator type="metadata" check="columns"/>', {"rows": "3"}, False),
        ('<validator type="dataset_ok_validator"/>', {}, True),
    ],
)
def test_validators_of_data_look_at_what_is_known_of_it(
    make_tool: Callable[..., str],
    data_file: Callable[..., InputFile],
    validator: str,
    facts: dict[str, str],
    is_good: bool,
) -> None:
    tool = read_wrapper(make_tool("x $i", f'<param name="i" type="data" format="csv">{validator}</param>'))
    inputs = {"i": data_file("a.csv", "1", "tablecsv", **facts)}
    if is_good:
        check_values(tool, {}, inputs)
    else:
        with pytest.raises(ParameterError, match=r"a\.csv"):
            check_values(tool, {}, inputs)


@pytest.mark.parametrize("options", ['from_dataset="i"', ""])
def test_choices_that_are_in_the_data_are_taken_as_they_are_given(make_tool: Callable[..., str], options: str) -> None:
    filters = '<filter type="data_meta" ref="i" key="column_names"/>'
    inputs = '<param name="i" type="data" format="csv" optional="true"/>'
    inputs += f'<param name="d" type="select" multiple="true"><options {options}>{filters}</options></param>'
    inputs += f'<param name="e" type="select"><options {options}>{filters}</options></param>'
    tool = read_wrapper(make_tool("x $d $e", inputs))

    assert check_values(tool, {"d": "area,mean", "e": "a,b"}) == {"d": ["area", "mean"], "e": "a,b"}
    with pytest.raises(ParameterError, match="'e': needs a value: its choices are in the data"):
        check_values(tool, {})


def test_choices_that_only_a_server_knows_are_refused_when_they_are_used(make_tool: Callable[..., str]) -> None:
    dynamic = '<param name="d" type="select"><options from_data_table="genomes"/></param>'
    inputs = (
        '<conditional name="c"><param name="on" type="select"><option value="no">n</option><option value="yes">y'
        f'</option></param><when value="no"/><when value="yes">{dynamic}</when></conditional>'
    )
    tool = read_wrapper(make_tool("x $c.on", inputs))

    assert check_values(tool, {}) == {"c|on": "no"}
    with pytest.raises(ParameterError, match="data table of a Galaxy server"):
        check_values(tool, {"c|on": "yes"})


def test_a_boolean_chooses_the_case_of_a_conditional(make_tool: Callable[..., str]) -> None:
    inputs = (
        '<conditional name="c"><param name="on" type="boolean" truevalue="--yes" falsevalue=""/>'
        '<when value="--yes"><param name="x" type="integer" value="1"/></when><when value=""/></conditional>'
    )
    tool = read_wrapper(make_tool("x", inputs))
    assert check_values(tool, {"c|on": True}) == {"c|on": True, "c|x": 1}
    assert check_values(tool, {}) == {"c|on": False}


def test_inputs_take_as_many_files_as_they_say(
    make_tool: Callable[..., str], data_file: Callable[..., InputFile]
) -> None:
    one, two = data_file("a.tif"), data_file("b.tif")
    pair = '<param name="i" type="data_collection" collection_type="paired"/>'
    for inputs, good, bad in (
        ('<param name="i" type="data"/>', one, [one, two]),
        ('<param name="i" type="data" multiple="true"/>', [one, two], []),
        (pair, Collection("paired", {"forward": one, "reverse": two}), Collection("list", {"a": one})),
    ):
        tool = read_wrapper(make_tool("x $i", inputs))
        check_values(tool, {}, {"i": good})
        with pytest.raises(ParameterError, match="'i'"):
            check_values(tool, {}, {"i": bad})
