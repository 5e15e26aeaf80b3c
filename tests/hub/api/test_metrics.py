from tests.hub.api.worlds import World


def test_totals_are_for_stewards_and_name_no_member(world: World) -> None:
    steward, ann = world.member("boss", "steward"), world.member("ann")
    assert ann.get("/v1/metrics").status_code == 403
    answer = steward.get("/v1/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text.count("# TYPE stillwatch_hub_") == 3
    assert "boss" not in answer.text
