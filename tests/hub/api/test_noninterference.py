"""What a member may not see leaves no trace: two hubs, one without it, answer byte for byte alike."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from tests.hub.api.worlds import DAY, NOW, TAXII, Who, World, absent, campaign, world_in

from stillwatch.sharing.objects.build import canonical, revise
from stillwatch.sharing.objects.tlp import Tlp

TODAY = "2026-11-18"
NAMES = ("owner", "friend", "eve", "third", "fourth")
CROWD = ("friend", "third", "fourth")
STEWARDS = ("one", "two", "three")
EVE = absent("identity")
OWNER = absent("identity")
FRIEND, THIRD, FOURTH = (absent("identity") for _ in CROWD)
IDS = {"eve": EVE, "owner": OWNER, "friend": FRIEND, "third": THIRD, "fourth": FOURTH}
PUBLIC = campaign(OWNER, correlate=True)
HIDDEN = [
    campaign(OWNER, tlp=Tlp.RED, recipients=(FRIEND,)),
    campaign(OWNER, tlp=Tlp.RED),
    campaign(OWNER, recipients=(FRIEND,)),
]
MINE = campaign(EVE, correlate=True)
FOR_EVE = campaign(OWNER, tlp=Tlp.RED, recipients=(EVE,))
"""Eve sees its first version alone, the crowd its second alone, and stewards another of its id in the inbox."""
FOR_CROWD = revise(FOR_EVE, at=NOW + 10 * DAY) | {
    "extensions": campaign(OWNER, tlp=Tlp.RED, recipients=(FRIEND, THIRD, FOURTH))["extensions"]
}
IN_INBOX = campaign(OWNER) | {"id": FOR_EVE["id"]}
Act = Callable[[dict[str, Who]], Any]


def about(item: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"object_id": item["id"]} | more


def put(who: Who, item: dict[str, Any], collection: str = "shared") -> None:
    """Post an object; it may be refused, as that of a version that is there or was deleted."""
    path = f"/exchange/collections/{collection}/objects/"
    who.call("POST", path, b'{"objects":[' + canonical(item) + b"]}", TAXII)


def speak(who: dict[str, Who], *names: str) -> None:
    """Let members say all that may be said of what they see of an object of which eve sees something else."""
    for name in names:
        who[name].post("/v1/sightings", about(FOR_EVE, seen=True, day=TODAY, band="1-9"))
        who[name].post("/v1/opinions", about(FOR_EVE, opinion="agree", explanation="e"))
        who[name].post("/v1/corrections", about(FOR_EVE, kind="disputed", reason="of what is hidden"))


def speak_of_version(who: dict[str, Who]) -> None:
    put(who["owner"], FOR_CROWD)
    speak(who, *CROWD)


def speak_in_inbox(who: dict[str, Who]) -> None:
    put(who["owner"], IN_INBOX, "inbox")
    speak(who, *STEWARDS)


def hidden_acts() -> dict[str, Act]:
    """Return what eve is to know nothing of, by name."""
    acts: dict[str, Act] = {
        "to the inbox": lambda who: who["owner"].share(campaign(OWNER), collection="inbox"),
        "same id": lambda who: put(who["friend"], {**campaign(FRIEND, tlp=Tlp.RED), "id": HIDDEN[1]["id"]}),
        "proposal": lambda who: who["friend"].post("/v1/proposals", about(PUBLIC, change={"name": "x"}, reason="r")),
        "fresh sighting": lambda who: who["third"].post("/v1/sightings", about(PUBLIC, seen=True, day=TODAY)),
        "one opinion": lambda who: who["third"].post("/v1/opinions", about(PUBLIC, opinion="agree", explanation="e")),
        "tokens": lambda who: who["friend"].post("/v1/tokens/evaluate", {"blinded": ["ff" * 32]}),
        "another version": speak_of_version,
        "another collection": speak_in_inbox,
        "no consent": lambda who: who["friend"].share(campaign(FRIEND, tlp=Tlp.RED)),
    }
    for number, item in enumerate(HIDDEN):
        later = revise(item, at=NOW + 10 * DAY, name="later")
        acts |= {
            f"share {number}": lambda who, item=item: put(who["owner"], item),  # type: ignore[misc]
            f"revise {number}": lambda who, later=later: put(who["owner"], later),  # type: ignore[misc]
            f"delete {number}": lambda who, item=item: who["owner"].delete(item["id"]),  # type: ignore[misc]
            f"sight {number}": lambda who, item=item: who["friend"].post(  # type: ignore[misc]
                "/v1/sightings", about(item, seen=True, day=TODAY)
            ),
            f"dispute {number}": lambda who, item=item: who["friend"].post(  # type: ignore[misc]
                "/v1/corrections", about(item, kind="disputed", reason="r")
            ),
            f"correct {number}": lambda who, item=item: who["owner"].post(  # type: ignore[misc]
                "/v1/corrections", about(item, kind="corrected", reason="r")
            ),
        }
    return acts


def looks() -> list[Act]:
    """Return what eve does and sees."""
    paths = ["/v1/members", "/v1/corrections", "/v1/corrections?limit=1", "/v1/proposals", "/v1/correlations"]
    posts: list[tuple[str, dict[str, Any]]] = [("/v1/signatures/query", {"sha256": ["00" * 32]})]
    for item in [PUBLIC, FOR_EVE, *HIDDEN]:
        paths += [f"/v1/sightings/{item['id']}", f"/v1/opinions/{item['id']}"]
        posts += [
            ("/v1/sightings", about(item, seen=True, day=TODAY, band="1-9")),
            ("/v1/opinions", about(item, opinion="neutral")),
            ("/v1/corrections", about(item, kind="withdrawn", reason="r")),
            ("/v1/corrections", about(item, kind="disputed", reason="r")),
            ("/v1/proposals", about(item, change={"id": "x"}, reason="r")),
        ]
    acts: list[Act] = [lambda who, path=path: who["eve"].get(path) for path in paths]  # type: ignore[misc]
    acts += [lambda who, post=post: who["eve"].post(*post) for post in posts]  # type: ignore[misc]
    return [*acts, *acts[: len(paths)]]


def seen(world: World, hidden: list[list[Act]]) -> list[tuple[int, bytes, dict[str, str]]]:
    """Return all that eve is answered while others act at the same moments."""
    who = {name: world.member(name) for name in NAMES}
    answers = []
    world.clock.now = NOW + 1
    who |= {name: world.member(name, "steward") for name in STEWARDS}
    who["owner"].share(PUBLIC, FOR_EVE)
    who["eve"].share(MINE)
    for number, look in enumerate([*looks(), *looks()]):
        begin = NOW + 100 * number + (2 * DAY if number >= len(looks()) else 0)
        world.clock.now = begin
        for act in hidden[number] if number < len(hidden) else []:
            act(who)
        world.clock.now = begin + 50
        made = look(who)
        answers.append((made.status_code, made.content, dict(made.headers)))
    return answers


@given(st.lists(st.lists(st.sampled_from(sorted(hidden_acts())), max_size=3), min_size=20, max_size=30))
@example([["another version"], ["another collection"]])
@settings(max_examples=5, phases=[Phase.explicit, Phase.generate])  # two hubs each; a shorter example says no more
def test_what_a_member_may_not_see_leaves_no_trace(names: list[list[str]]) -> None:
    acts = hidden_acts()
    hidden = [[acts[name] for name in some] for some in names]
    with tempfile.TemporaryDirectory() as directory:
        one, other = Path(directory, "one"), Path(directory, "other")
        with world_in(one) as world:  # one hub, so that secrets and ids are the same
            for name in NAMES:
                world.member(name, member_id=IDS.get(name))
            for name in STEWARDS:
                world.member(name, "steward")
        shutil.copytree(one, other)
        told = []
        for place, done in ((one, []), (other, hidden)):
            with world_in(place) as world:
                told.append(seen(world, done))
    for number, (without, with_it) in enumerate(zip(*told, strict=True)):
        assert without == with_it, number
