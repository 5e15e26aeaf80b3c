import itertools

from hypothesis import given
from hypothesis import strategies as st
from tests.detection.findings import campaigns

from stillwatch.detection.findings.charts.graph import WIDTH, Graph, account_graph
from stillwatch.detection.findings.model import Campaign, Member, SharedKey, Template


def members(*names: str) -> list[Member]:
    return [Member(account_id=name, role="harvester", share=0.5) for name in names]


def key(digest: str, *accounts: str) -> SharedKey:
    return SharedKey(key_kind="payment_id", digest=digest, accounts=list(accounts))


def template(*accounts: str, exchanges: int = 10) -> Template:
    return Template(sketch=["aa"], text=None, exchanges=exchanges, accounts=len(accounts), account_ids=list(accounts))


def drawn(campaign: Campaign) -> Graph:
    graph = account_graph(campaign)
    assert graph is not None
    return graph


def shapes(graph: Graph) -> dict[str, int]:
    return {shape: sum(n.shape == shape for n in graph.nodes) for shape in ("key", "account", "group", "template")}


def test_few_accounts_stand_alone() -> None:
    graph = drawn(campaigns.harvest())
    assert shapes(graph) == {"key": 3, "account": 24, "group": 0, "template": 2}
    assert len(graph.edges) == 8 + 7 + 16 + 21 + 9
    assert graph.left_out == ""
    assert [heading.label for heading in graph.headings] == ["Rare keys", "Accounts", "Templates"]


def test_many_accounts_with_equal_links_become_one_mark() -> None:
    graph = drawn(campaigns.benchmark())
    assert shapes(graph) == {"key": 0, "account": 0, "group": 1, "template": 1}
    assert next(node.label for node in graph.nodes if node.shape == "group") == "140 accounts"
    assert [heading.label for heading in graph.headings] == ["Accounts", "Templates"]


def test_nothing_shared_no_picture() -> None:
    unnamed = [Template(sketch=[], text=None, exchanges=1, accounts=24)]
    assert account_graph(campaigns.harvest(shared_keys=[], templates=unnamed)) is None


def test_template_numbers_are_those_of_the_list() -> None:
    templates = [
        Template(sketch=["00"], text=None, exchanges=99, accounts=2),
        template("a", exchanges=50),
        template("a", "b", exchanges=5),
    ]
    graph = drawn(campaigns.harvest(accounts=members("a", "b"), templates=templates, shared_keys=[]))
    assert [node.label for node in graph.nodes if node.shape == "template"] == ["template 3", "template 2"]


def test_what_is_not_drawn_is_said() -> None:
    names = [f"a{i:03d}" for i in range(60)]
    keys = [key(f"{i:02d}", names[i], names[i + 1]) for i in range(40)]
    graph = drawn(campaigns.harvest(accounts=members(*names), templates=[], shared_keys=keys))
    assert sum(shapes(graph).values()) <= 40
    assert "32 shared keys" in graph.left_out
    assert "51 accounts without a drawn link" in graph.left_out


def test_rarer_combinations_are_counted() -> None:
    names = [f"a{i:02d}" for i in range(40)]
    keys = [key(f"{bit}", *(name for i, name in enumerate(names) if i >> bit & 1)) for bit in range(6)]
    graph = drawn(campaigns.harvest(accounts=members(*names), templates=[], shared_keys=keys))
    assert shapes(graph)["account"] == 24
    assert "15 accounts with other links" in graph.left_out
    assert "1 account without a drawn link" in graph.left_out


links = st.lists(st.sets(st.integers(0, 120), min_size=1), max_size=12)


@given(links, links)
def test_the_picture_stays_readable(keys: list[set[int]], templates: list[set[int]]) -> None:
    campaign = campaigns.harvest(
        accounts=members(*(f"a{i}" for i in range(121))),
        shared_keys=[key(str(i), *(f"a{a}" for a in accounts)) for i, accounts in enumerate(keys)],
        templates=[template(*(f"a{a}" for a in accounts)) for accounts in templates],
    )
    graph = account_graph(campaign)
    if not keys and not templates:
        assert graph is None
        return
    assert graph is not None
    assert len(graph.nodes) <= 40
    assert all(0 < node.x < WIDTH and 0 < node.y < graph.height for node in graph.nodes)
    by_column: dict[float, list[float]] = {}
    for node in graph.nodes:
        by_column.setdefault(node.x, []).append(node.y)
    for ys in by_column.values():
        assert all(lower - upper >= 25 for upper, lower in itertools.pairwise(ys))
