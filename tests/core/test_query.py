from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bioimageit_core.containers import ProcessedData, RawData
from bioimageit_core.core.exceptions import DataQueryError
from bioimageit_core.core.query import (
    MAX_DEPTH,
    MAX_LENGTH,
    All,
    And,
    Compare,
    Has,
    In,
    Not,
    Or,
    Query,
    fields_of,
    parse_query,
)

FIELDS: dict[str, Any] = {
    "name": "A9 p10d.tif",
    "author": "ada",
    "date": "2024-05-31",
    "format": "imagetiff",
    "Population": "p1",
    "Day": "10",
    "Cell line": "Kc 167",
    "Größe (µm)": 2.5,
    "Empty": "",
    "Nothing": None,
    "Good": True,
    "Tags": ["dna", "actin", 3],
    "Padded": " p1 ",
    "Scanned": "2023-12-24",
}


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", All()),
        ("  \n", All()),
        ("a=1", Compare("a", "=", "1")),
        (" a = 1 ", Compare("a", "=", "1")),
        ("a==1", Compare("a", "==", "1")),
        ("a!=1", Compare("a", "!=", "1")),
        ("a<=1.5e3", Compare("a", "<=", "1.5e3")),
        ("a>2024-05-31", Compare("a", ">", "2024-05-31")),
        ("a=", Compare("a", "=", "")),
        ("a= AND b=1", And((Compare("a", "=", ""), Compare("b", "=", "1")))),
        ("name=f96 (17)", Compare("name", "=", "f96 (17)")),
        ("name=(17) f96", Compare("name", "=", "(17) f96")),
        ("name=a (b (c) d) e", Compare("name", "=", "a (b (c) d) e")),
        ("name=A9 p5d.tif", Compare("name", "=", "A9 p5d.tif")),
        ("name=a/b-c_d, e;f'g", Compare("name", "=", "a/b-c_d, e;f'g")),
        ("name=AND", Compare("name", "=", "AND")),
        ("name=x ANDy", Compare("name", "=", "x ANDy")),
        ("name=salt and pepper", Compare("name", "=", "salt and pepper")),
        ("name=NOT this", Compare("name", "=", "NOT this")),
        ("author=O'Brien", Compare("author", "=", "O'Brien")),
        ("Gene_name=p53", Compare("Gene_name", "=", "p53")),
        ("Cell line=Kc 167", Compare("Cell line", "=", "Kc 167")),
        ("Größe (µm)>2", Compare("Größe (µm)", ">", "2")),
        ("a!b=2", Compare("a!b", "=", "2")),
        ("""'a "b"'="c \\"d\\" \\\\" """, Compare('a "b"', "=", 'c "d" \\')),
        ("name='it''s'", None),
        (r"name~^A9 p\d+d(_labels)?\.tif$", Compare("name", "~", r"^A9 p\d+d(_labels)?\.tif$")),
        (r"name~'(?P<a>\d)='", Compare("name", "~", r"(?P<a>\d)=")),
        ("a", Has("a")),
        ("Cell line", Has("Cell line")),
        ('"this and that"', Has("this and that")),
        ("a IN (1, b (2), 'c, d')", In("a", ("1", "b (2)", "c, d"))),
        ("a IN(1)", In("a", ("1",))),
        ("a IN ()", In("a", ())),
        ("'a'IN (1)", In("a", ("1",))),
        ("dates IN vitro=5", Compare("dates IN vitro", "=", "5")),
        ("a NOT IN (1, 2)", Not(In("a", ("1", "2")))),
        ("NOT a=1", Not(Compare("a", "=", "1"))),
        ("NOT(a)", Not(Has("a"))),
        ("NOT NOT a", Not(Not(Has("a")))),
        ("a AND b OR c AND NOT d", Or((And((Has("a"), Has("b"))), And((Has("c"), Not(Has("d"))))))),
        ("(a OR b) AND c", And((Or((Has("a"), Has("b"))), Has("c")))),
        ("(a=1)AND(b=2)", And((Compare("a", "=", "1"), Compare("b", "=", "2")))),
        ("a=1\n\tAND b=2", And((Compare("a", "=", "1"), Compare("b", "=", "2")))),
        ("((name=f96 (17)))", Compare("name", "=", "f96 (17)")),
    ],
)
def test_a_text_means_one_query(text: str, query: Query | None) -> None:
    if query is None:
        with pytest.raises(DataQueryError):
            parse_query(text)
    else:
        assert parse_query(text) == query


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("a=1 AND", 7, "a condition"),
        ("a=1 AND AND b", 8, "a condition"),
        ("=5", 0, "a condition"),
        ("NOT", 3, "a condition"),
        ("(", 1, "a condition"),
        ("a=1 and b=2", 9, "upper case"),
        ("a=1 or b<2", 8, "upper case"),
        ("a and b", 2, "upper case"),
        ("a in (1, 2)", 2, "upper case"),
        ("a=1)", 3, "not opened"),
        ("(a=1", 4, "not closed"),
        ("a=(b", 4, "not closed"),
        ("a IN (b", 7, "not closed"),
        ("a IN (b,)", 8, "expected a value"),
        ('a="x', 2, "quote is not closed"),
        ('a="x" y', 6, "AND, OR or the end"),
        ("a<b", 2, "a number or a date"),
        ("a<", 2, "a number or a date"),
        ("b AND a>=x y", 9, "a number or a date"),
        ('a~"x("', 5, "missing )"),
        ("name~[a", 7, "missing ]"),
        ("name~a**", 6, "bad repetition"),
        (r"name~'(?=a)'", 6, "look-around"),
        (f"a~{'x' * 1001}", 1002, "at most 1000 characters"),
        ("NOT " * MAX_DEPTH + "a", 0, "nested"),
    ],
)
def test_an_error_points_at_its_place_and_says_what_was_expected(text: str, position: int, said: str) -> None:
    with pytest.raises(DataQueryError) as caught:
        parse_query(text)

    assert caught.value.query == text
    assert caught.value.position == position
    assert said in caught.value.message
    caret = str(caught.value).splitlines()[-1]
    assert caret.strip() == "^"


def test_a_query_that_is_too_long_is_refused() -> None:
    with pytest.raises(DataQueryError, match="at most"):
        parse_query("a" * (MAX_LENGTH + 1))


def test_an_error_in_a_long_query_shows_the_place_only() -> None:
    with pytest.raises(DataQueryError) as caught:
        parse_query("a=1 AND " * 1000 + "\n=")

    assert max(len(line) for line in str(caught.value).splitlines()) <= 110


def test_parentheses_may_be_nested_without_end() -> None:
    assert parse_query("(" * 10_000 + "a" + ")" * 10_000) == Has("a")


@pytest.mark.parametrize(
    ("text", "is_selected"),
    [
        ("name=p1", True),
        ("name=P1", False),
        ("name==p1", False),
        ("name==A9 p10d.tif", True),
        ("name!=p1", False),
        ("name!=p2", True),
        ("name IN (p1, x)", False),
        ("name IN (A9 p10d.tif, x)", True),
        (r"name~p\d+d\.tif$", True),
        ("name~^p", False),
        ("Population=p1", True),
        ("Population=p", False),
        ("Population!=p2", True),
        ("Padded=p1", True),
        ("Padded==p1", False),
        ("Padded==' p1 '", True),
        ("Padded IN (p1)", True),
        ("Day<9", False),
        ("Day>=10", True),
        ("Day>9.5", True),
        ("Day<=10", True),
        ("Day>1e1", False),
        ("Day=10.0", False),
        ("Population<5", False),
        ("Population>=5", False),
        ("Größe (µm)=2.50", True),
        ("Größe (µm) IN (2.50)", True),
        ("Größe (µm)<3", True),
        ("Good=true", True),
        ("Good==True", True),
        ("Good<2", False),
        ("Tags=actin", True),
        ("Tags=3", True),
        ("Tags>2", True),
        ("Tags!=actin", False),
        ("Tags IN (x, dna)", True),
        ("Tags~^act", True),
        ("Tags", True),
        ("Empty", False),
        ("Nothing", False),
        ("Good", True),
        ("Missing", False),
        ("Empty=", True),
        ("Nothing=", True),
        ("Missing=", True),
        ("Missing!=x", True),
        ("Missing<5", False),
        ("date=2024-05", True),
        ("date=2024", True),
        ("date=2023", False),
        ("date=", False),
        ("date==2024-05", False),
        ("date<=2024-05", True),
        ("date<=2024", True),
        ("date>2024", False),
        ("date>2023", True),
        ("date<2024-06-01", True),
        ("Scanned<2024-01-01", True),
        ("Day<2024-01-01", True),
        ("Population<2024-01-01", False),
        ("Größe (µm)<2024-01-01", False),
        ("author=ada", True),
        ("author=ad", False),
        ("format IN (imagetiff, imagezarr)", True),
        ("NOT Population=p2 AND (Day=3 OR Day=10)", True),
        ("Day NOT IN (10)", False),
    ],
)
def test_a_query_selects_by_the_fields(text: str, is_selected: bool) -> None:
    assert parse_query(text).matches(FIELDS) is is_selected


def test_an_expression_that_backtracks_without_end_elsewhere_is_fast() -> None:
    assert not parse_query("name~^(a+)+$").matches({"name": "a" * 50_000 + "b"})


def test_keys_are_those_asked_for() -> None:
    assert parse_query("name=a AND (b OR NOT c<1) AND d IN (1)").keys() == {"name", "b", "c", "d"}
    assert parse_query("").keys() == set()


def test_a_processed_data_has_its_own_name_and_the_annotations_of_its_origin() -> None:
    origin = RawData(name="raw.tif", author="ada", date="2024-01-01", key_value_pairs={"Day": "3", "name": "x"})
    made = ProcessedData(name="o_raw.tif", author="bob", date="2024-02-02", format="imagetiff")

    fields = fields_of(made, origin)

    assert fields == {"name": "o_raw.tif", "author": "bob", "date": "2024-02-02", "format": "imagetiff", "Day": "3"}
    assert fields_of(made) == {"name": "o_raw.tif", "author": "bob", "date": "2024-02-02", "format": "imagetiff"}


def test_an_annotation_that_has_a_value_goes_before_the_data_s_own() -> None:
    data = RawData(name="a", author="ada", date="2024-01-01", key_value_pairs={"author": "carl", "date": " "})

    assert fields_of(data)["author"] == "carl"
    assert fields_of(data)["date"] == "2024-01-01"


# the language as it was before it grew

word = st.text(st.characters(exclude_characters="=<>~!\"'()", exclude_categories=["Cs", "Cc", "Z"]), min_size=1)
phrase = st.lists(word, min_size=1, max_size=3).map(" ".join)
old_value = st.one_of(phrase, st.builds("{} ({})".format, phrase, phrase), st.just(""))
number = st.one_of(st.integers(-99, 99), st.floats(-99, 99, allow_nan=False)).map(str)
pad = st.sampled_from(["", " "])


@st.composite
def old_queries(draw: st.DrawFn) -> str:
    terms = []
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.sampled_from(["name", "Day", "Cell line"]) | phrase)
        op = draw(st.sampled_from(["=", "<", "<=", ">", ">="]))
        value = draw(old_value if op == "=" else number)
        terms.append(f"{key}{draw(pad)}{op}{draw(pad)}{value}")
    return " AND ".join(terms)


def old_matches(query: str, fields: dict[str, str]) -> bool:
    for term in query.split(" AND "):
        key, op, value = re.fullmatch(r"([^=<>]+)(<=|>=|=|<|>)([^=<>]*)", term).groups()  # type: ignore[union-attr]
        key, value, mine = key.strip(), value.strip(), fields.get(key.strip(), "").strip()
        if op == "=":
            fits = value in mine if key == "name" else mine == value
        else:
            number = float(mine) if re.fullmatch(r"-?([0-9]+[.]?[0-9]*|[.][0-9]+)(e-?[0-9]+)?", mine) else float("nan")
            fits = {
                "<": number < float(value),
                "<=": number <= float(value),
                ">": number > float(value),
                ">=": number >= float(value),
            }[op]
        if not fits:
            return False
    return True


@settings(deadline=None)
@given(query=old_queries(), data=st.data())
def test_the_old_language_means_what_it_meant(query: str, data: st.DataObject) -> None:
    words = set(re.split(r"\s+", query))
    assume(not words & {"OR", "NOT", "AND"} - ({"AND"} if " AND " in query else set()))
    assume(not re.search(r"(^| AND )(AND|OR|NOT|date)\b|\bIN \(", query))
    assume(query.count("AND") == query.count(" AND "))
    terms = [re.split(r"<=|>=|=|<|>", term) for term in query.split(" AND ")]
    fields = {
        key.strip(): data.draw(st.sampled_from([value.strip(), f"x{value}", "", "7", "-3.5"])) for key, value in terms
    }

    assert parse_query(query).matches(fields) is old_matches(query, fields)


# trees and texts

keys = st.text(min_size=1) | st.sampled_from(["name", "Cell line", "AND", "NOT", "a IN b", 'a"b', "\\", "Temp (C)"])
values = st.text() | st.sampled_from(["AND", "f96 (17)", "(", '"', "\\'", "a OR b", " x "])
ordered = st.builds(Compare, keys, st.sampled_from(["<", "<=", ">", ">="]), number | st.just("2024-05-31"))
equal = st.builds(Compare, keys, st.sampled_from(["=", "==", "!="]), values)
expression = st.builds(Compare, keys, st.just("~"), st.sampled_from(["a", r"\d+ \(x\)$", "[(]", "'\"", "a|b"]))
leaves = st.one_of(equal, ordered, expression, st.builds(Has, keys), st.builds(In, keys, st.lists(values).map(tuple)))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(trees)
def test_a_query_printed_and_parsed_is_the_same(query: Query) -> None:
    assert parse_query(str(query)) == query


pieces = st.sampled_from(
    [*'()=<>~!"\\, ', "'", "a", "name", "AND", "OR", "NOT", "IN", "5", "2024-01-01", "\n", "*", "é"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(deadline=None, max_examples=300)
@given(st.text() | st.lists(pieces, max_size=20).map("".join), json_values)
def test_any_text_is_a_query_or_a_query_error(text: str, value: Any) -> None:
    query, error = parsed(text)

    assert (query is None) is (error is not None)
    if error is not None:
        assert -1 <= error.position <= len(text)
        assert str(error)
    elif query is not None:
        assert query.matches(dict.fromkeys(query.keys(), value)) in {True, False}


def parsed(text: str) -> tuple[Query | None, DataQueryError | None]:
    try:
        return parse_query(text), None
    except DataQueryError as error:
        return None, error


def test_a_value_that_is_not_there_compares_as_an_empty_one_does() -> None:
    for query in ('Day==" "', 'Day==""', 'Day=" "', 'Day IN (a, "")', "NOT Day"):
        parsed = parse_query(query)
        assert len({parsed.matches({}), parsed.matches({"Day": ""}), parsed.matches({"Day": None})}) == 1, query


def test_half_a_character_in_a_value_breaks_no_search() -> None:
    for half in ("\ud800", "\udc80"):
        assert parse_query("note~cell").matches({"note": f"a cell {half} here"})
        assert not parse_query("note~other").matches({"note": half})
