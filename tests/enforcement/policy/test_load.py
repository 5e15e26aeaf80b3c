from pathlib import Path

import pytest

from stillwatch.enforcement.policy.load import PolicyError, load_policy, parse_policy
from stillwatch.errors import UsageError

HEAD = 'id = "p"\nversion = "1"\n'
BLOCK = '[[rule]]\nid = "r"\naction = "block"\nlongest_s = 60\nwhen.verdict = ["block"]\n'


def test_load(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(HEAD + BLOCK)
    policy = load_policy(path)
    assert (policy.id, policy.version, policy.rule[0].mode) == ("p", "1", "shadow")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id = \n", "p.toml:1: no valid TOML"),
        (HEAD + "\n[[rule]\n", "p.toml:4: no valid TOML"),
        (HEAD + BLOCK + '[[rule]]\nid = "s"\naction = "blok"\nwhen = {}\n', "p.toml:8: Invalid enum value 'blok'"),
        (HEAD + BLOCK.replace("longest_s", "longest"), "p.toml:3: Object contains unknown field `longest`"),
        ('id = "p"\n', "p.toml: Object missing required field `version`"),
        (HEAD + "rule = 5", "p.toml: Expected `array`, got `int`"),
    ],
)
def test_errors_have_their_place(text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_policy(text, "p.toml")
    assert said in str(raised.value)
    assert "-> " in str(raised.value)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(PolicyError) as raised:
        parse_policy(HEAD + BLOCK.replace("longest_s = 60\n", "") + BLOCK, "p.toml")
    assert 'p.toml:3: rule "r": a block must end' in str(raised.value)
    assert len(raised.value.faults) > 1


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_policy(tmp_path / "none.toml")
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_policy(path)


def test_the_example_of_the_reference_is_a_policy() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "policy.md").read_text("utf-8")
    assert len(parse_policy(page.split("```toml\n")[1].split("```")[0], "policy.md").rule) == 2
