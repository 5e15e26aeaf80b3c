from tests.sharing.objects.factories import MEMBER, NOW, campaign, everything, indicator, origin

from stillwatch.sharing.objects import build
from stillwatch.sharing.objects.bundle import bundle
from stillwatch.sharing.objects.extensions import HARVEST, PUBLISHER, SHARING
from stillwatch.sharing.objects.tlp import MARKING_ID, Tlp


def ids(objects: list[dict[str, str]]) -> list[str]:
    return [one["id"] for one in bundle(objects)["objects"]]


def test_definitions_come_before_what_uses_them() -> None:
    found = campaign()
    assert ids([found]) == [PUBLISHER["id"], MARKING_ID[Tlp.AMBER_STRICT], SHARING, HARVEST, found["id"]]


def test_only_what_is_used_is_defined() -> None:
    plain = build.note(origin(sharing=None, tlp=Tlp.GREEN), content="x", refs=[MEMBER])
    assert ids([plain]) == [PUBLISHER["id"], MARKING_ID[Tlp.GREEN], plain["id"]]


def test_each_version_is_there_once() -> None:
    first = campaign()
    second = build.revise(first, at=NOW + 1, name="campaign 2")
    assert ids([first, second, first])[-2:] == [first["id"], second["id"]]
    once = bundle([first])["objects"]
    assert bundle(once)["objects"] == once


def test_the_id_follows_from_the_content() -> None:
    sign = indicator()
    assert bundle([sign])["id"] == bundle([dict(sign)])["id"] != bundle(everything())["id"]
