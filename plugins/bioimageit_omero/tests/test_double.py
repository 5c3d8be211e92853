"""The double itself: an unmodified gateway works with it, its queries mean what HQL means, it refuses loudly."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def gateway(double_place: Any) -> Iterator[Any]:
    from omero.gateway import BlitzGateway

    made = BlitzGateway("ada", "adaada", host=double_place.host, port=double_place.port, secure=True)
    assert made.connect()
    yield made
    made.close()


@pytest.fixture
def tree(gateway: Any) -> dict[str, Any]:
    """Make a project, two datasets, three images, pairs and a tag."""
    import omero
    from omero.rtypes import rstring

    mark = uuid.uuid4().hex
    project = omero.model.ProjectI()
    project.name = rstring(f"p {mark}")
    for number in range(2):
        dataset = omero.model.DatasetI()
        dataset.name = rstring(f"d{number} {mark}")
        project.linkDataset(dataset)
        for image_number in range(2 - number):
            image = omero.model.ImageI()
            image.name = rstring(f"i{number}{image_number} {mark}")
            dataset.linkImage(image)
            pairs = omero.model.MapAnnotationI()
            pairs.ns = rstring(mark)
            pairs.mapValue = [omero.model.NamedValue("n", str(image_number)), omero.model.NamedValue("m", "x")]
            image.linkAnnotation(pairs)
    saved = gateway.getUpdateService().saveAndReturnObject(project)
    return {"project": saved.id.val, "mark": mark}


def ask(gateway: Any, text: str, **values: Any) -> list[list[Any]]:
    import omero
    from omero.rtypes import rlist, rlong, rstring, unwrap

    parameters = omero.sys.ParametersI()
    for name, value in values.items():
        if isinstance(value, list):
            parameters.add(name, rlist([rlong(v) for v in value]))
        else:
            parameters.add(name, rlong(value) if isinstance(value, int) else rstring(value))
    return [[unwrap(v) for v in row] for row in gateway.getQueryService().projection(text, parameters)]


def test_the_gateway_works_with_it(gateway: Any) -> None:
    np = pytest.importorskip("numpy")
    planes = (np.full((3, 4), n, "uint16") for n in range(6))
    image = gateway.getObject("Image", gateway.createImageFromNumpySeq(planes, "a", sizeZ=2, sizeC=3).getId())

    assert (image.getPrimaryPixels().getPlane(1, 2, 0) == 5).all()
    assert image.getOwner().getName() == "ada"
    gateway.deleteObjects("Image", [image.getId()], wait=True)
    assert gateway.getObject("Image", image.getId()) is None


QUERIES = {
    "join": ("select i.name from Dataset d join d.imageLinks l join l.child i where d.name like :d order by i.name", 3),
    "count": ("select count(distinct i) from Image i where i.name like :i", [[3]]),
    "group": (
        (
            "select l.parent.name, count(l.id) from DatasetImageLink l where l.parent.name like :d "
            "group by l.parent.name order by count(l.id)"
        ),
        [["d1", 1], ["d0", 2]],
    ),
    "left": (
        (
            "select i.name, t.id from Image i left outer join i.annotationLinks l left outer join l.child t "
            "with t.ns = 'no' where i.name like :i"
        ),
        3,
    ),
    "pairs": (
        (
            "select distinct i.name from Image i join i.annotationLinks l join l.child a join a.mapValue mv "
            "where a.ns = :mark and mv.name = 'n' and mv.value = '1'"
        ),
        [["i01"]],
    ),
    "exists": (
        (
            "select i.name from Image i where i.name like :i and not exists "
            "(select l from DatasetImageLink l where l.child = i.id and l.parent.name like :d)"
        ),
        [],
    ),
    "in": (
        (
            "select i.name from Image i where i.id in "
            "(select l.child.id from DatasetImageLink l where l.parent.name like :d)"
        ),
        3,
    ),
    "null": ("select i.name from Image i where i.name like :i and i.description <> 'x'", []),
    "is null": ("select i.name from Image i where i.name like :i and i.description is null", 3),
    "case": ("select sum(case when i.name like 'i0%' then 1 else 0 end) from Image i where i.name like :i", [[2]]),
    "order": ("select i.name from Image i where i.name like :i order by i.id desc", [["i10"], ["i01"], ["i00"]]),
    "owner": ("select count(*) from Image i where i.details.owner.omeName = 'ada' and i.name like :i", [[3]]),
}


@pytest.mark.parametrize("case", sorted(QUERIES))
def test_a_query_means_what_hql_means(gateway: Any, tree: dict[str, Any], case: str) -> None:
    text, expected = QUERIES[case]
    mark = tree["mark"]
    values = {"d": f"d_ {mark}", "i": f"i__ {mark}", "mark": mark}
    rows = ask(gateway, text, **{name: value for name, value in values.items() if f":{name}" in text})

    if isinstance(expected, int):
        assert len(rows) == expected
    else:
        assert [[v.split(" ")[0] if isinstance(v, str) else v for v in row] for row in rows] == expected


def test_only_what_is_fetched_is_loaded(gateway: Any, tree: dict[str, Any]) -> None:
    service, where = gateway.getQueryService(), f"where p.id = {tree['project']}"
    bare = service.findByQuery(f"select p from Project p {where}", None)
    fetched = service.findByQuery(
        f"select p from Project p left outer join fetch p.datasetLinks l left outer join fetch l.child {where}", None
    )

    assert (bare.isDatasetLinksLoaded(), bare.details.owner.isLoaded()) == (False, False)
    assert sorted(d.name.val[:2] for d in fetched.linkedDatasetList()) == ["d0", "d1"]


@pytest.mark.parametrize(
    "text", ["select", "select i from Nothing i", "select i.nothing from Image i", "select i from Image i where ("]
)
def test_a_wrong_query_is_refused(gateway: Any, text: str) -> None:
    import omero

    with pytest.raises(omero.QueryException):
        gateway.c.sf.getQueryService().projection(text, None)


def test_what_it_does_not_implement_it_refuses_loudly(client: None, new_double: Any) -> None:
    double = new_double()
    try:
        import omero
        from omero.gateway import BlitzGateway

        made = BlitzGateway("ada", "adaada", host="127.0.0.1", port=double.port, secure=True)
        assert made.connect()
        with pytest.raises(omero.ApiUsageException, match=r"does not implement IPixels\.copyAndResizeImage"):
            made.c.sf.getPixelsService().copyAndResizeImage(1, None, None, None, None, [], None, False)
        made.close()
        assert double.command("calls")["refused"] == ["IPixels.copyAndResizeImage"]
    finally:
        double.close()


def test_a_save_that_fails_saves_nothing(gateway: Any) -> None:
    import omero
    from omero.rtypes import rstring

    mark = uuid.uuid4().hex
    good, bad = omero.model.DatasetI(), omero.model.DatasetI()
    good.name = rstring(mark)
    with pytest.raises(omero.ValidationException):
        gateway.getUpdateService().saveArray([good, bad])

    assert ask(gateway, "select count(d.id) from Dataset d where d.name = :m", m=mark) == [[0]]


def test_an_object_that_somebody_else_changed_is_not_overwritten(gateway: Any, tree: dict[str, Any]) -> None:
    import omero
    from omero.rtypes import rstring

    first, second = (gateway.getQueryService().get("Project", tree["project"]) for _ in range(2))
    first.description, second.description = rstring("first"), rstring("second")
    gateway.getUpdateService().saveObject(first)

    with pytest.raises(omero.OptimisticLockException):
        gateway.getUpdateService().saveObject(second)
