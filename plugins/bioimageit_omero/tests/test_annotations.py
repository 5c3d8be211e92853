"""Pairs, keys and permissions: ours are edited, everybody else's are never touched, and it takes few calls."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bioimageit_core.core.exceptions import DataServiceError, NotFoundError

CLIENT = "openmicroscopy.org/omero/client/mapAnnotation"


@pytest.fixture
def connect(place: Any) -> Iterator[Any]:
    """Give what opens the unmodified gateway, for this user or another."""
    from omero.gateway import BlitzGateway

    made: list[Any] = []

    def open_(user: str = "", group: str | None = None) -> Any:
        name, password = (user, user * 2) if user else (place.user, place.password)
        gateway = BlitzGateway(name, password, host=place.host, port=place.port, secure=True, group=group)
        assert gateway.connect()
        made.append(gateway)
        return gateway

    yield open_
    for gateway in made:
        gateway.close()


@pytest.fixture
def data(service: Any, experiment: Any, tmp_path: Path) -> Any:
    return bring(service, experiment, tmp_path, "cell", {"Population": "p53"})


def bring(service: Any, experiment: Any, folder: Path, name: str, pairs: dict[str, Any]) -> Any:
    np, tifffile = pytest.importorskip("numpy"), pytest.importorskip("tifffile")
    path = folder / f"{uuid.uuid4().hex}.tif"
    tifffile.imwrite(path, np.zeros((4, 5), "uint8"))
    return service.import_data(experiment, str(path), name, "ada", "imagetiff", "now", pairs)


def image_of(gateway: Any, data: Any) -> Any:
    return gateway.getObject("Image", int(data.md_uri.rsplit("/", 1)[1]))


def annotate(gateway: Any, image: Any, pairs: list[list[str]], ns: str = CLIENT) -> Any:
    """Annotate as OMERO.web does."""
    import omero.gateway

    annotation = omero.gateway.MapAnnotationWrapper(gateway)
    annotation.setNs(ns)
    annotation.setValue(pairs)
    annotation.save()
    image.linkAnnotation(annotation)
    return annotation


def maps(image: Any, ns: str | None = None) -> list[tuple[int, list[tuple[str, str]]]]:
    image._obj.unloadAnnotationLinks()
    found = [a for a in image.listAnnotations(ns=ns) if type(a).__name__ == "MapAnnotationWrapper"]
    return [(a.getId(), a.getValue()) for a in found if not (a.getNs() or "").startswith("bioimageit.org/")]


def test_pairs_are_where_omero_web_edits_them(data: Any, connect: Any) -> None:
    ((_, pairs),) = maps(image_of(connect(), data), CLIENT)

    assert pairs == [("Population", "p53")]


def test_what_omero_web_edits_is_read(service: Any, data: Any, connect: Any) -> None:
    gateway = connect()
    image = image_of(gateway, data)
    annotation = next(a for a in image.listAnnotations(ns=CLIENT))
    annotation.setValue([["Population", "p63"], ["Day", "3"], ["Population", "p73"]])
    annotation.save()

    pairs = service.get_raw_data(data.md_uri).key_value_pairs

    assert pairs == {"Population": ["p63", "p73"], "Day": "3"}


def test_the_order_and_the_duplicates_of_pairs_are_kept(service: Any, data: Any, connect: Any) -> None:
    gateway = connect()
    image = image_of(gateway, data)
    annotation = next(a for a in image.listAnnotations(ns=CLIENT))
    annotation.setValue([["b", "1"], ["a", "x"], ["b", "2"], ["c", "-"], ["a", "x"]])
    annotation.save()
    mine = service.get_raw_data(data.md_uri)
    mine.set_key_value_pair("c", "new")
    mine.set_key_value_pair("d", "4")
    service.update_raw_data(mine)

    ((_, pairs),) = maps(image, CLIENT)
    assert pairs == [("b", "1"), ("a", "x"), ("b", "2"), ("c", "new"), ("a", "x"), ("d", "4")]


def test_annotations_of_others_are_never_touched(service: Any, data: Any, connect: Any) -> None:
    gateway = connect()
    image = image_of(gateway, data)
    annotate(gateway, image, [["Gene", "a"], ["Gene", "b"], ["Day", "1"]])
    annotate(gateway, image, [["Instrument", "SP8"]], "example.org/microscope")
    before = {id_: pairs for id_, pairs in maps(image) if ("Population", "p53") not in pairs}

    mine = service.get_raw_data(data.md_uri)
    assert mine.key_value_pairs == {"Population": "p53", "Gene": ["a", "b"], "Day": "1", "Instrument": "SP8"}
    mine.key_value_pairs = {"Population": "p53", "Gene": ["a", "b"], "Day": "2"}
    service.update_raw_data(mine)
    experiment_data = service.get_raw_data(data.md_uri).key_value_pairs

    after = dict(maps(image))
    assert {id_: after[id_] for id_ in before} == before
    assert [p for id_, p in after.items() if id_ not in before] == [[("Population", "p53"), ("Day", "2")]]
    assert experiment_data == {"Population": "p53", "Day": "2", "Gene": ["a", "b"], "Instrument": "SP8"}


def test_an_annotation_that_other_images_have_is_not_edited(
    service: Any, experiment: Any, data: Any, connect: Any, tmp_path: Path
) -> None:
    gateway = connect()
    second = bring(service, experiment, tmp_path, "second", {})
    shared = next(a for a in image_of(gateway, data).listAnnotations(ns=CLIENT))
    image_of(gateway, second).linkAnnotation(shared)
    mine = service.get_raw_data(data.md_uri)
    mine.set_key_value_pair("Population", "other")
    service.update_raw_data(mine)

    assert service.get_raw_data(data.md_uri).key_value_pairs["Population"] == "other"
    assert service.get_raw_data(second.md_uri).key_value_pairs["Population"] == "p53"


def test_tags_of_others_are_keys_and_stay(service: Any, experiment: Any, connect: Any) -> None:
    import omero.gateway

    gateway = connect()
    project = gateway.getObject("Project", int(experiment.md_uri.rsplit("/", 1)[1]))
    tag = omero.gateway.TagAnnotationWrapper(gateway)
    tag.setValue("their key")
    tag.save()
    project.linkAnnotation(tag)

    found = service.get_experiment(experiment.md_uri)
    assert found.keys == ["Population", "their key"]
    found.keys = ["New"]
    service.update_experiment(found)

    assert gateway.getObject("TagAnnotation", tag.getId()) is not None
    assert service.get_experiment(experiment.md_uri).keys == ["New"]


def test_an_image_that_did_not_come_from_here_can_be_read_and_annotated(
    service: Any, experiment: Any, connect: Any
) -> None:
    np = pytest.importorskip("numpy")
    gateway = connect()
    dataset = gateway.getObject("Dataset", int(experiment.raw_dataset.url.rsplit("/", 1)[1]))
    planes = (np.zeros((4, 5), "uint8") for _ in range(2))
    image = gateway.createImageFromNumpySeq(planes, "theirs.czi", sizeC=2, dataset=dataset._obj)
    annotate(gateway, image, [["Gene", "a"]])

    (entry,) = service.get_dataset(experiment.raw_dataset.url).uris
    data = service.get_raw_data(entry.md_uri)
    assert (data.name, data.uuid, data.metadata["SizeC"]) == ("theirs.czi", entry.uuid, 2)
    assert data.key_value_pairs == {"Gene": "a", "Population": ""}
    data.set_key_value_pair("Population", "p53")
    service.update_raw_data(data)

    again = service.get_raw_data(entry.md_uri)
    assert again.key_value_pairs == {"Gene": "a", "Population": "p53"}
    assert again.uuid == entry.uuid
    assert [d.name for d in service.query_data(service.get_dataset(experiment.raw_dataset.url), "Gene=a", "")] == [
        "theirs.czi"
    ]


def test_a_key_that_several_bring_at_once_is_one_tag(
    service: Any, new_service: Any, experiment: Any, tmp_path: Path
) -> None:
    from bioimageit_core.testing.data_concurrent import at_once

    services = [service, new_service(), new_service(), new_service()]
    results = at_once(
        [lambda s=s, n=n: bring(s, experiment, tmp_path, f"c{n}", {"New": str(n)}) for n, s in enumerate(services)]
    )

    assert [r for r in results if isinstance(r, Exception)] == []
    assert service.get_experiment(experiment.md_uri).keys == ["Population", "New"]


def test_a_directory_that_comes_again_with_a_tag_is_tagged_where_it_is_new(
    service: Any, experiment: Any, tmp_path: Path
) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"{name}.txt").write_text(name)
    service.import_dir(experiment, str(tmp_path), "^a", "ada", "raw", "now", "", None)
    service.import_dir(experiment, str(tmp_path), "", "ada", "raw", "now", "Plate", None)

    dataset = service.get_dataset(experiment.raw_dataset.url)
    plates = [service.get_raw_data(e.md_uri).key_value_pairs["Plate"] for e in dataset.uris]
    assert plates == ["", *[tmp_path.name] * 3]


# groups and permissions; the users and groups are the double's


@pytest.fixture
def groups(place: Any) -> None:
    if place.double is None:
        pytest.skip("the users and groups of this test are the double's")


def test_an_experiment_is_made_in_the_group_that_is_asked_for(service: Any, groups: None, connect: Any) -> None:
    made = service.create_experiment(f"test {uuid.uuid4().hex}", "ada", "now", [], "private")

    assert made.md_uri in [e["md_uri"] for e in service.get_workspace_experiments("private")]
    assert made.md_uri in [e["md_uri"] for e in service.get_workspace_experiments("*")]
    assert made.md_uri not in [e["md_uri"] for e in service.get_workspace_experiments("")]
    with pytest.raises(DataServiceError, match="no group"):
        service.create_experiment("x", "ada", "now", [], "strangers")


def test_what_a_group_hides_is_not_found(service: Any, new_service: Any, groups: None) -> None:
    made = service.create_experiment(f"test {uuid.uuid4().hex}", "ada", "now", [], "private")
    bob = new_service(username="bob", password="bobbob")

    with pytest.raises(NotFoundError):
        bob.get_experiment(made.md_uri)


def test_a_member_annotates_in_an_annotation_of_their_own(
    service: Any, new_service: Any, data: Any, groups: None, connect: Any
) -> None:
    bob = new_service(username="bob", password="bobbob")
    theirs = bob.get_raw_data(data.md_uri)
    theirs.set_key_value_pair("Population", "bob says p63")
    bob.update_raw_data(theirs)

    assert service.get_raw_data(data.md_uri).key_value_pairs["Population"] == "bob says p63"
    owners = {a.getOwner().getName(): a.getValue() for a in image_of(connect(), data).listAnnotations(ns=CLIENT)}
    assert owners == {"ada": [("Population", "p53")], "bob": [("Population", "bob says p63")]}


def test_where_a_group_is_read_only_writing_is_refused(
    service: Any, new_service: Any, groups: None, tmp_path: Path
) -> None:
    made = service.create_experiment(f"test {uuid.uuid4().hex}", "ada", "now", [], "readers")
    data = bring(service, made, tmp_path, "cell", {"Population": "p53"})
    bob = new_service(username="bob", password="bobbob")
    seen = bob.get_raw_data(data.md_uri)
    assert seen.key_value_pairs["Population"] == "p53"
    seen.set_key_value_pair("Population", "no")

    with pytest.raises(DataServiceError, match="not permitted"):
        bob.update_raw_data(seen)
    with pytest.raises(DataServiceError, match="not permitted"):
        bring(bob, made, tmp_path, "bob's", {})
    assert service.get_raw_data(data.md_uri).key_value_pairs["Population"] == "p53"


# batches


def fill(gateway: Any, experiment: Any, count: int) -> None:
    """Put images into the raw dataset in one call."""
    import omero
    from omero.rtypes import rstring

    dataset = omero.model.DatasetI(int(experiment.raw_dataset.url.rsplit("/", 1)[1]), False)
    links = []
    for number in range(count):
        image = omero.model.ImageI()
        image.name = rstring(f"image_{number % 7}_{number:04}.tif")
        link = omero.model.DatasetImageLinkI()
        link.parent, link.child = dataset, image
        links.append(link)
    gateway.getUpdateService().saveArray(links)


def asked(double: Any) -> int:
    """Count the calls that were made, but for those by which a connection is kept alive in the background."""
    calls = double.command("calls")["calls"]
    return sum(count for name, count in calls.items() if "keepA" not in name)


@pytest.mark.slow
def test_annotating_and_querying_takes_as_many_calls_for_a_thousand_images_as_for_ten(
    service: Any, place: Any, connect: Any
) -> None:
    if place.double is None:
        pytest.skip("a real server does not count calls")
    gateway, used = connect(), {}
    for count in (10, 1000):
        experiment = service.create_experiment(f"test {uuid.uuid4().hex}", "ada", "now", ["Well"], "")
        fill(gateway, experiment, count)
        dataset = service.get_dataset(experiment.raw_dataset.url)
        place.double.command("reset")
        wanted = {e.md_uri: {"Well": str(n % 7), "Dose": n} for n, e in enumerate(dataset.uris)}
        service.annotate_data(dataset, wanted)
        annotating = asked(place.double)
        place.double.command("reset")
        found = list(service.query_data(dataset, "Well=3 AND Dose>=0", ""))
        querying = asked(place.double)
        used[count] = (annotating, querying)
        assert len(found) == len([n for n in range(count) if n % 7 == 3])

    assert used[10] == used[1000]
    assert max(used[1000]) <= 20
