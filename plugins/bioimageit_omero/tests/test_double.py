"""The double itself: an unmodified gateway works with it, its queries mean what HQL means, it refuses loudly."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def connect(place: Any) -> Iterator[Any]:
    """Give what opens the unmodified gateway for a user, directly and behind a router."""
    from omero.gateway import BlitzGateway

    if place.double is None:
        pytest.skip("the users of these tests are the double's")
    made: list[Any] = []

    def open_(user: str) -> Any:
        gateway = BlitzGateway(user, user * 2, host=place.host, port=place.port, secure=True)
        assert gateway.connect()
        made.append(gateway)
        return gateway

    yield open_
    for gateway in made:
        gateway.close()


@pytest.fixture
def gateway(connect: Any) -> Any:
    return connect("ada")


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
    "empty": ("select i.name from Image i where i.name like :i and i.pixels is empty and size(i.datasetLinks) = 1", 3),
    "member": (
        (
            "select d.name from Dataset d, Image i where i.name like 'i10 %' and i.name like :i and exists "
            "(select l from DatasetImageLink l where l member of d.imageLinks and l.child = i)"
        ),
        [["d1"]],
    ),
    "all": (
        (
            "select i.name from Image i where i.name like :i and i.id >= all "
            "(select j.id from Image j where j.name like :i)"
        ),
        [["i10"]],
    ),
    "escape": ("select i.name from Image i where i.name like :i and i.name like 'i!_%' escape '!'", []),
    "functions": (
        (
            "select substring(i.name, 1, 2) || '-' || cast(length('abc') as string) from Image i where i.name like :i "
            "and i.id > -1 and mod(7, 4) = 3 and locate('1', i.name) = 2"
        ),
        [["i1-3"]],
    ),
    "named": (
        "select i.name as called from Image i where i.name like :i order by called desc",
        [["i10"], ["i01"], ["i00"]],
    ),
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
def test_a_wrong_query_is_refused(gateway: Any, tree: dict[str, Any], text: str) -> None:  # among rows to look at
    import omero

    with pytest.raises(omero.QueryException):
        gateway.c.sf.getQueryService().projection(text, None)


def test_a_list_of_nothing_is_refused(gateway: Any) -> None:
    import omero

    with pytest.raises(omero.QueryException, match="not empty"):
        ask(gateway, "select i.id from Image i where i.id in (:ids)", ids=[])


def test_an_object_comes_once_however_much_is_fetched_with_it(gateway: Any, tree: dict[str, Any]) -> None:
    import omero

    text = "select p from Project p join fetch p.datasetLinks l join fetch l.child where p.id = :id"
    parameters = omero.sys.ParametersI().addLong("id", tree["project"]).page(0, 1)
    (project,) = gateway.getQueryService().findAllByQuery(text, parameters)

    assert project.sizeOfDatasetLinks() == 2
    assert [e.getName() for e in gateway.getObjects("Experimenter")].count("ada") == 1


def test_the_gateway_lists_and_counts_children(gateway: Any, tree: dict[str, Any]) -> None:
    datasets = list(gateway.getObject("Project", tree["project"]).listChildren())

    assert [(d.getName()[:2], d.countChildren()) for d in datasets] == [("d0", 2), ("d1", 1)]
    assert sorted(i.getName()[:3] for i in datasets[0].listChildren()) == ["i00", "i01"]


def test_an_image_is_made_like_another(gateway: Any) -> None:
    np = pytest.importorskip("numpy")
    source = gateway.createImageFromNumpySeq((np.full((3, 4), n, "uint16") for n in range(3)), "a", sizeC=3)
    gateway.setChannelNames("Image", [source.getId()], {1: "DAPI", 2: "GFP", 3: "Cy5"})
    planes = (np.full((3, 4), n, "uint16") for n in (7, 9))
    made = gateway.createImageFromNumpySeq(planes, "b", sizeC=2, sourceImageId=source.getId(), channelList=[2, 0])

    channels = gateway.getObject("Image", made.getId()).getChannels()
    assert [(c.getLabel(), c.getWindowMin(), c.getColor().getHtml()) for c in channels] == [
        ("Cy5", 7, "FF0000"),
        ("DAPI", 9, "00FF00"),
    ]
    store = gateway.c.sf.createRawPixelsStore()
    store.setPixelsId(made.getPixelsId(), True)
    assert store.getHypercube([1, 0, 0, 0, 0], [2, 1, 1, 2, 1], [1, 1, 1, 1, 1]) == b"\0\7\0\7\0\t\0\t"
    store.close()


def test_a_table_is_made_in_the_repository(gateway: Any) -> None:
    pytest.importorskip("tables")
    import omero

    resources = gateway.c.sf.sharedResources()
    table = resources.newTable(resources.repositories().descriptions[0].id.val, "/cells.h5")
    columns = [omero.grid.LongColumn("n", "", [1, 2, 3]), omero.grid.StringColumn("s", "", 8, ["a", "b", "\u00e9"])]
    table.initialize(columns)
    table.addData(columns)
    rows = table.getWhereList("(n > 1)", {}, 0, 3, 1)

    assert [list(c.values) for c in table.readCoordinates(rows).columns] == [[2, 3], ["b", "\u00e9"]]
    table.close()


def test_who_deletes_an_image_leaves_the_annotations_of_others(connect: Any, gateway: Any) -> None:
    import omero.gateway
    from omero.rtypes import rstring

    made = omero.model.ImageI()
    made.name = rstring("mine")
    id_ = gateway.getUpdateService().saveAndReturnObject(made).id.val
    bob = connect("bob")
    tag = omero.gateway.TagAnnotationWrapper(bob)
    tag.setValue("bob's")
    tag = bob.getObject("Image", id_).linkAnnotation(tag)  # what it returns is stored, and has an id
    gateway.deleteObjects("Image", [id_], wait=True)

    assert gateway.getObject("Image", id_) is None
    assert bob.getObject("TagAnnotation", tag.getId()).getValue() == "bob's"


def test_what_is_moved_to_another_group_is_there(gateway: Any, tree: dict[str, Any]) -> None:
    import omero

    groups = {group.getName(): group.getId() for group in gateway.getGroupsMemberOf()}
    wanted = omero.cmd.Chgrp2(targetObjects={"Project": [tree["project"]]}, groupId=groups["private"])
    gateway.c.submit(wanted)

    assert gateway.getObject("Project", tree["project"]) is None
    assert gateway.setGroupForSession(groups["private"])
    datasets = list(gateway.getObject("Project", tree["project"]).listChildren())
    assert sorted(d.countChildren() for d in datasets) == [1, 2]
    assert gateway.setGroupForSession(groups["lab"])


def test_administrators_make_groups_and_users_and_act_for_them(connect: Any, gateway: Any) -> None:
    import omero
    from omero.rtypes import rstring

    root, name = connect("root"), f"g{uuid.uuid4().hex[:8]}"
    group = root.createGroup(name, owner_Ids=[gateway.getUserId()], perms="rwr---")
    new = omero.model.ExperimenterI()
    new.omeName, new.firstName, new.lastName = rstring(f"u{name}"), rstring("U"), rstring("X")
    home = omero.model.ExperimenterGroupI(group, False)
    user = root.getAdminService().createExperimenterWithPassword(new, rstring("secret"), home, [])
    acting = root.suConn(f"u{name}", name)
    dataset = omero.model.DatasetI()
    dataset.name = rstring("theirs")
    id_ = acting.getUpdateService().saveAndReturnObject(dataset).id.val
    acting.close()

    with pytest.raises(omero.CmdError, match="may not give away"):
        connect("bob").c.submit(omero.cmd.Chown2(targetObjects={"ExperimenterGroup": [group]}, userId=user))
    gateway.SERVICE_OPTS.setOmeroGroup(-1)
    assert gateway.getObject("Dataset", id_).getOwner().getId() == user
    gateway.c.submit(omero.cmd.Chown2(targetObjects={"Dataset": [id_]}, userId=gateway.getUserId()))
    assert gateway.getObject("Dataset", id_).getOwner().getName() == "ada"


def test_sessions_of_others_are_not_seen(connect: Any, gateway: Any) -> None:
    bob = connect("bob")
    seen = [row[0] for row in ask(gateway, "select s.uuid from Session s")]

    assert gateway.c.getSessionId() in seen
    assert bob.c.getSessionId() not in seen


def test_what_it_does_not_implement_it_refuses_loudly(client: None, new_double: Any) -> None:
    double = new_double()
    try:
        import omero
        from omero.gateway import BlitzGateway

        made = BlitzGateway("ada", "adaada", host="127.0.0.1", port=double.port, secure=True)
        assert made.connect()
        with pytest.raises(omero.ApiUsageException, match=r"does not implement IPixels\.copyAndResizePixels"):
            made.c.sf.getPixelsService().copyAndResizePixels(1, None, None, None, None, [], None, False)
        made.close()
        assert double.command("calls")["refused"] == ["IPixels.copyAndResizePixels"]
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
