import pytest
from tests.enforcement.factories import policy, rule

from stillwatch.enforcement.policy.load import PolicyError, standard_policy

VERDICT = '{ verdict = ["block"] }'
COHORT = '[[cohort]]\nid = "{}"\nplans = ["{}"]'
LIMIT = '[[limit]]\nid = "l"\ncounts = "requests"\namount = 5\nper = "minute"\n{}'
BUDGET = '[[budget]]\ncohort = "everybody"\noverturned = 1'


def faults(*tables: str) -> list[str]:
    with pytest.raises(PolicyError) as raised:
        policy(*tables)
    return [f"{where.line}: {fault.place}: {fault.message}" for where, fault in raised.value.faults]


def test_the_standard_policy_has_no_fault() -> None:
    assert standard_policy().id == "standard"


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ([rule("r", "watch", "{ models = ['m'] }")], '3: rule "r": it waits for nothing'),
        ([rule("r", "block", VERDICT)] * 2, '3: rule "r": the id is given twice'),
        ([rule("r", "block", '{ verdict = ["watch"] }')], '3: rule "r": block is harder than the verdict watch'),
        ([rule("r", "degrade", "{ text = true }")], '3: rule "r": a text alone may not degrade'),
        ([LIMIT.format(""), rule("r", "challenge", '{ limits = ["l"] }')], "a limit alone may not challenge"),
        ([rule("r", "watch", '{ limits = ["x"] }')], 'there is no limit "x"'),
        ([rule("r", "block", '{ verdict = ["block"], cohorts = ["x"] }')], 'there is no cohort "x"'),
        ([LIMIT.format("")], 'limit "l": no rule says what happens'),
        ([rule("r", "allow", VERDICT)], "allow is what happens without a rule"),
        ([rule("r", "watch", '{ verdict = ["allow", "watch"] }')], "an account with the verdict allow has none"),
        (
            [rule("r", "watch", '{ handle = true, reason_codes = ["x"] }')],
            "narrows a verdict or a text, and none is given",
        ),
        ([rule("r", "watch", '{ text = true, reason_codes = ["x"] }')], 'no text has the reason "x"'),
        ([rule("r", "watch", VERDICT, challenge="{}")], "challenge is given, but the action is another"),
        ([COHORT.format("everybody", "a")], 'cohort "everybody": this name is taken'),
        (['[[cohort]]\nid = "c"'], 'cohort "c": it has no condition'),
        ([COHORT.format("a", "x"), COHORT.format("b", "x")], 'cohort "b": cohort "a" before it takes all its accounts'),
        ([BUDGET] * 2, "has two budgets"),
        (['[[exemption]]\nid = "e"\nreason = "r"'], 'exemption "e": it covers nobody'),
    ],
)
def test_faults(tables: list[str], said: str) -> None:
    assert any(said in fault for fault in faults(*tables)), faults(*tables)


def test_a_block_must_end_and_a_degrade_say_what_it_does() -> None:
    block = '[[rule]]\nid = "b"\naction = "block"\nwhen.verdict = ["block"]'
    degrade = '[[rule]]\nid = "d"\naction = "degrade"\nwhen.verdict = ["degrade"]'
    assert faults(block, degrade) == [
        '3: rule "b": a block must end',
        '7: rule "d": it does not say what is made smaller',
    ]


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (rule("n", "throttle", '{ verdict = ["block"], models = ["m"] }'), rule("w", "block", VERDICT)),
        (rule("n", "block", VERDICT), rule("w", "throttle", VERDICT)),
        (rule("n", "watch", '{ text = true, verdict = ["block"] }'), rule("w", "challenge", "{ text = true }")),
    ],
)
def test_a_rule_that_can_never_matter(narrow: str, wide: str) -> None:
    assert any("it can never matter" in fault for fault in faults(narrow, wide))


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (rule("n", "throttle", VERDICT), rule("w", "block", VERDICT, mode="shadow")),
        (rule("n", "throttle", VERDICT), rule("w", "block", VERDICT, canary_percent="5")),
        (rule("n", "throttle", VERDICT), rule("w", "block", '{ verdict = ["block"], models = ["m"] }')),
        (rule("n", "watch", "{ text = true }"), rule("w", "block", '{ text = true, verdict = ["block"] }')),
    ],
)
def test_a_rule_that_matters_somewhere(narrow: str, wide: str) -> None:
    assert len(policy(narrow, wide).rule) == 2


def test_limits_that_count_none_of_the_cohorts() -> None:
    cohorts = [COHORT.format("a", "x"), COHORT.format("b", "y")]
    asked = [*cohorts, LIMIT.format('cohorts = ["a"]'), rule("r", "throttle", '{ limits = ["l"], cohorts = ["b"] }')]
    assert any("its limits count none of its cohorts" in fault for fault in faults(*asked))
