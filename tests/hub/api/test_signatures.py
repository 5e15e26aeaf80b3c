import base64
import hashlib
from pathlib import Path

import msgspec
import pytest
from tests.hub.api.worlds import TAXII, Who, World, absent, campaign, signed

from stillwatch.sharing.objects.build import canonical, revise
from stillwatch.sharing.objects.tlp import Tlp
from stillwatch.sharing.signing import Envelope, Signer, verify


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer.make(tmp_path / "member-key.pem")


def registered(world: World, name: str, signer: Signer) -> Who:
    who = world.member(name)
    assert who.post("/v1/keys", {"public_key": signer.public_key}).status_code == 200
    return who


def digest(item: dict[str, object]) -> str:
    return hashlib.sha256(canonical(item)).hexdigest()


def test_a_signature_comes_before_its_object_and_is_seen_with_it(world: World, signer: Signer) -> None:
    ann, ben = registered(world, "ann", signer), world.member("ben")
    item = campaign(ann.id)
    assert ann.signs(signer, item).json() == {"accepted": 1, "refused": []}
    asked = {"sha256": [digest(item), "00" * 32]}
    assert ben.post("/v1/signatures/query", asked).json() == {"signatures": {}}
    ann.share(item)
    told = ben.post("/v1/signatures/query", asked).json()["signatures"]
    assert list(told) == [digest(item)]
    one = told[digest(item)]
    assert (one["member_id"], one["public_key"]) == (ann.id, signer.public_key)
    verify(msgspec.convert(one["envelope"], Envelope), canonical(item), signer.public_key)


def test_an_object_that_came_in_another_form_has_the_signature_on_its_canonical_one(
    world: World, signer: Signer
) -> None:
    ann = registered(world, "ann", signer)
    item = campaign(ann.id)
    ann.signs(signer, item)
    ann.call("POST", "/exchange/collections/shared/objects/", {"objects": [item]}, TAXII)
    assert digest(item) in ann.post("/v1/signatures/query", {"sha256": [digest(item)]}).json()["signatures"]


def test_each_version_has_its_signature_also_with_a_key_that_is_retired(world: World, signer: Signer) -> None:
    ann, ben = registered(world, "ann", signer), world.member("ben")
    first = campaign(ann.id)
    second = revise(first, at=world.clock.now + 10, name="more steps")
    ann.signs(signer, first, second)
    ann.share(first, second)
    for _ in range(4):
        ann.post("/v1/keys", {"public_key": hashlib.sha256(str(_).encode()).hexdigest()})
    wanted = {digest(first), digest(second)}
    assert ben.post("/v1/signatures/query", {"sha256": sorted(wanted)}).json()["signatures"].keys() == wanted
    assert ann.signs(signer, campaign(ann.id)).json()["accepted"] == 0


def test_who_does_not_see_an_object_does_not_see_its_signature(world: World, signer: Signer) -> None:
    ann, ben, eve = registered(world, "ann", signer), world.member("ben"), world.member("eve")
    item = campaign(ann.id, tlp=Tlp.RED, recipients=(ben.id,))
    ann.signs(signer, item)
    ann.share(item)
    asked = {"sha256": [digest(item)]}
    assert digest(item) in ben.post("/v1/signatures/query", asked).json()["signatures"]
    assert eve.post("/v1/signatures/query", asked).content == b'{"signatures":{}}'


def test_what_another_member_signs_is_not_shown_as_the_owners(world: World, signer: Signer) -> None:
    ann, ben = world.member("ann"), registered(world, "ben", signer)
    item = campaign(ann.id)
    ann.share(item)
    assert ben.signs(signer, item).json()["accepted"] == 1
    assert ann.post("/v1/signatures/query", {"sha256": [digest(item)]}).json() == {"signatures": {}}


def test_an_anonymous_object_has_the_signature_of_the_hub(world: World, signer: Signer) -> None:
    ann, ben = registered(world, "ann", signer), world.member("ben")
    item = campaign(world.anonymous, anonymous=True)
    ann.signs(signer, item)
    ann.share(item)
    answers = [who.post("/v1/signatures/query", {"sha256": [digest(item)]}) for who in (ann, ben)]
    assert answers[0].content == answers[1].content
    assert signer.public_key not in answers[1].text
    assert ann.id not in answers[1].text
    one = answers[1].json()["signatures"][digest(item)]
    hub = next(each for each in ben.get("/v1/members").json()["members"] if each["role"] == "hub")
    assert (one["member_id"], one["public_key"]) == ("anonymous", hub["keys"][0])
    verify(msgspec.convert(one["envelope"], Envelope), canonical(item), hub["keys"][0])


def test_each_signature_is_refused_for_itself(world: World, signer: Signer, tmp_path: Path) -> None:
    ann = registered(world, "ann", signer)
    good, other = signed(signer, campaign(ann.id)), signed(signer, campaign(ann.id))
    stranger = signed(Signer.make(tmp_path / "stranger.pem"), campaign(ann.id))
    wrong = {**good, "sha256": "00" * 32}
    no_object = {**good, "envelope": {**good["envelope"], "payload": base64.b64encode(b"[]").decode()}}
    no_base64 = {**good, "envelope": {**good["envelope"], "payload": "%"}}
    long = {**good, "envelope": {**good["envelope"], "signatures": [{"sig": "A" * 5000}]}}
    entries = [good, wrong, other, stranger, no_object, no_base64, long]
    told = ann.post("/v1/signatures", {"signatures": entries}).json()
    assert told["accepted"] == 2
    assert [one["message"] for one in told["refused"]] == [
        "the payload has another SHA-256",
        "the object is not signed with the key of its producer",
        "the payload is no object of STIX",
        "the payload is no object of STIX",
        "its signatures are too long",
    ]


def test_a_member_without_a_key_signs_nothing(world: World, signer: Signer) -> None:
    ann = world.member("ann")
    told = ann.signs(signer, campaign(ann.id)).json()
    assert (told["accepted"], told["refused"][0]["message"]) == (0, "you have no key to sign with")


def test_signing_again_changes_nothing(world: World, signer: Signer) -> None:
    ann = registered(world, "ann", signer)
    item = campaign(ann.id)
    ann.share(item)
    for _ in range(2):
        assert ann.signs(signer, item, item).json()["accepted"] == 2
    assert len(ann.post("/v1/signatures/query", {"sha256": [digest(item)]}).json()["signatures"]) == 1


def test_more_than_a_thousand_are_refused(world: World, signer: Signer) -> None:
    ann = registered(world, "ann", signer)
    entry = signed(signer, campaign(ann.id))
    assert ann.post("/v1/signatures", {"signatures": [entry] * 1001}).status_code == 422
    assert ann.post("/v1/signatures/query", {"sha256": ["00" * 32] * 1001}).status_code == 422
    assert ann.post("/v1/signatures", {"signatures": []}).status_code == 422


def test_a_number_that_has_no_canonical_form_has_no_signature_in_it(world: World, signer: Signer) -> None:
    ann = registered(world, "ann", signer)
    item = campaign(ann.id)
    raw = canonical(item)[:-1] + b',"x_big":9007199254740993}'
    envelope = msgspec.to_builtins(signer.sign(canonical(item)))
    ann.post("/v1/signatures", {"signatures": [{"sha256": digest(item), "envelope": envelope}]})
    ann.call("POST", "/exchange/collections/shared/objects/", b'{"objects":[' + raw + b"]}", TAXII)
    assert ann.post("/v1/signatures/query", {"sha256": [digest(item)]}).json() == {"signatures": {}}


def test_the_body_names_an_object(world: World, signer: Signer) -> None:
    ann = registered(world, "ann", signer)
    told = ann.signs(signer, {**campaign(ann.id), "id": absent()[:-1]}).json()
    assert told["refused"][0]["message"] == "the payload is no object of STIX"
