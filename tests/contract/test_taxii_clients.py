"""Real TAXII clients against a real hub, in an environment of their own (`.peers/stix`)."""

import json
import subprocess
import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.contract.test_stix_peers import all_that_we_publish
from tests.hub.process import Served, add_member, serving
from tests.hub.site import SHARED, address, indicator, newer
from tests.hub.taxii.test_interoperability import CASES

from stillwatch.sharing.objects.extensions import SHARING

PEER = Path(__file__).parents[2] / ".peers" / "stix" / "bin" / "python"
pytestmark = pytest.mark.skipif(
    not PEER.exists(), reason="no .peers/stix: `make peers` installs the clients; CI has them"
)


class Place(NamedTuple):
    served: Served
    token: str
    data: Path

    def run(self, script: str) -> Any:
        """Run a script with a client; `URL` is the hub's, and it prints one JSON value."""
        head = f"""
            import json, time, uuid
            URL, TOKEN, NAME = "http://127.0.0.1:{self.served.port}", {self.token!r}, "north"
        """
        code = textwrap.dedent(head) + textwrap.dedent(script)
        done = subprocess.run([PEER, "-c", code], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    data = tmp_path_factory.mktemp("hub")
    token = add_member(data, "north")
    with serving(data, "--max-page", "10") as served:
        yield Place(served, token, data)


CLIENT = """
from taxii2client.v21 import ApiRoot, Collection, Server, as_pages
server = Server(URL + "/taxii2/", user=NAME, password=TOKEN)
root = server.default
shared = next(one for one in root.collections if one.can_read)
inbox = next(one for one in root.collections if not one.can_read)
"""


def test_taxii2_client_finds_its_way(place: Place) -> None:
    told = place.run(
        CLIENT
        + "print(json.dumps([server.title, root.max_content_length, shared.alias if hasattr(shared, 'alias') else '',"
        " shared.can_write, inbox.can_write, len(server.api_roots)]))"
    )
    assert told[1] == 10 * 2**20
    assert told[3:] == [True, True, 1]


def test_taxii2_client_reads_all_pages_of_objects_and_manifest(place: Place) -> None:
    for _ in range(3):
        assert place.served.post(place.token, [indicator() for _ in range(9)]).status == 202
    told = place.run(
        CLIENT
        + """
count = lambda get: [len(page.get("objects", [])) for page in as_pages(get, per_request=4)]
ids = [one["id"] for page in as_pages(shared.get_objects, per_request=7) for one in page["objects"]]
print(json.dumps([count(shared.get_objects), count(shared.get_manifest), ids]))
"""
    )
    assert sum(told[0]) == sum(told[1]) == len(told[2]) == len(set(told[2])) >= 27


def test_taxii2_client_adds_waits_versions_and_deletes(place: Place) -> None:
    first = indicator()
    items = json.dumps([first, newer(first), indicator(pattern=7)])
    told = place.run(
        CLIENT
        + f"""
items = json.loads({items!r})
status = shared.add_objects({{"objects": items}}, wait_for_completion=True, poll_interval=0.1, timeout=30)
name = items[0]["id"]
versions = shared.object_versions(name)["versions"]
one = shared.get_object(name, version="first")["objects"][0]["modified"]
again = root.get_status(status.id)
shared.delete_object(name)
try:
    gone = shared.get_object(name)
except Exception as error:
    gone = error.response.status_code
print(json.dumps([status.status, status.success_count, again.failure_count, versions, one, gone]))
"""
    )
    moments = ["2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z"]
    assert told[:3] == ["complete", 2, 1]
    assert sorted(told[3]) == moments
    assert told[4:] == [moments[0], 404]


def test_stix2_store_and_source(place: Place) -> None:
    told = place.run(
        CLIENT
        + """
import stix2
store = stix2.TAXIICollectionStore(shared)
made = stix2.v21.Indicator(pattern="[url:value = 'http://b.example/']", pattern_type="stix", name="made by stix2",
                           valid_from="2026-01-01T00:00:00Z", created_by_ref="identity--" + str(uuid.uuid4()))
store.add(made)
back = store.get(made.id)
source = stix2.TAXIICollectionSource(shared)
found = source.query([stix2.Filter("type", "=", "indicator"), stix2.Filter("id", "=", made.id)])
versions = source.all_versions(made.id)
print(json.dumps([back.name, len(found), len(versions)]))
"""
    )
    assert told == ["made by stix2", 1, 1]


def test_cytaxii2(place: Place) -> None:
    item = json.dumps(indicator(id=f"indicator--{uuid.uuid4()}"))
    told = place.run(
        f"""
from cytaxii2.cytaxii2 import cytaxii2
client = cytaxii2(discovery_url=URL + "/taxii2/", username=NAME, password=TOKEN, version=2.1)
discovery = client.discovery_request()
root = client.root_discovery()
collections = client.collection_request()
shared = next(one for one in collections["response"]["collections"] if one["can_read"])["id"]
inbox = client.inbox_request(collection_id=shared, stix_bundle=json.dumps({{"objects": [json.loads({item!r})]}}))
poll = client.poll_request(collection_id=shared, added_after="2026-01-01T00:00:00.000Z")
good = [one["status"] for one in (discovery, root, collections, inbox, poll)]
print(json.dumps([*good, poll["response"]["objects"][:1]]))
"""
    )
    assert told[:5] == [True] * 5
    assert told[5]


def for_everyone(item: dict[str, Any]) -> dict[str, Any]:
    """Return an object that names its owner, for all members."""
    told = json.loads(json.dumps(item))
    sharing = told.get("extensions", {}).get(SHARING, {})
    for name in ("anonymous", "recipients"):
        sharing.pop(name, None)
    return dict(told)


def test_stix2_validator_on_everything_that_is_served(tmp_path: Path) -> None:
    token = add_member(tmp_path, "north")
    posted = [*CASES.values(), *map(for_everyone, all_that_we_publish()), address()]
    with serving(tmp_path, "--max-page", "10") as served:
        status = served.post(token, posted).json
        told = Place(served, token, tmp_path).run(
            CLIENT
            + """
from stix2validator import ValidationOptions, validate_instance
options = ValidationOptions(version="2.1")
errors, count = {}, 0
for page in as_pages(shared.get_objects, per_request=10, version="all"):
    for one in page["objects"]:
        count += 1
        found = [str(error) for error in validate_instance(one, options).errors]
        if found:
            errors[one["id"]] = found
print(json.dumps([count, errors]))
"""
        )
    assert status.get("failures", []) == []
    assert told == [len(posted), {}]


def test_a_member_in_its_own_words(place: Place) -> None:
    assert place.served.ask(place.token, "GET", f"{SHARED}/objects/").status == 200
