"""What a replay cannot tell: rules whose facts are not in the exchanges, or rest on a file that was not given."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stillwatch.enforcement.model import CAMPAIGN_TEXT, RECEIVED_INDICATOR
from stillwatch.enforcement.policy.model import Cohort, Limit, Policy, Rule


@dataclass(frozen=True, slots=True)
class Given:
    """What a replay rests on.

    Attributes:
        fields: optional fields of an exchange that hold at least one value.
        texts: whether some exchange has a prompt, or a sketch of one.
        verdicts, bands: whether verdicts were given, and name texts of campaigns.
        reports: whether what other providers reported was given, and names texts.
        accounts, registry: whether these files were given.
    """

    fields: frozenset[str]
    texts: bool
    verdicts: bool
    bands: bool
    reports: bool
    accounts: bool
    registry: bool


def not_assessable(policy: Policy, given: Given) -> dict[str, list[str]]:
    """Return, for each rule that the replay cannot tell about, what is missing."""
    found = {rule.id: [*dict.fromkeys(_missing(rule, policy, given))] for rule in policy.rule}
    return {name: reasons for name, reasons in found.items() if reasons}


def notes(policy: Policy, given: Given) -> list[str]:
    """Return what else a reader must know of a replay that was given so much."""
    said = []
    if given.verdicts:
        said.append(
            "The verdicts are in force from the first exchange to the last, not only from when they were found."
        )
    if not given.registry:
        said += [
            f'No registry was given: exemption "{one.id}" spares nobody by it.'
            for one in policy.exemption
            if one.registry_kinds
        ]
    said += [
        f'Cohort "{cohort.id}" needs {lack}: its accounts count as those of a later cohort.'
        for cohort in policy.cohort
        for lack in _cohort(cohort, given)
    ]
    said += [
        f'What reviewers overturn is in no replay: the budget of "{budget.cohort}" by overturned is not assessable.'
        for budget in policy.budget
        if budget.overturned is not None
    ]
    return said


def _missing(rule: Rule, policy: Policy, given: Given) -> Iterator[str]:
    when = rule.when
    if when.verdict and not given.verdicts:
        yield "verdicts (--verdicts)"
    if when.text:
        if not given.texts:
            yield "text, or sketches of it, in the exchanges"
        heard = set(() if when.verdict else when.reason_codes) or {CAMPAIGN_TEXT}
        if CAMPAIGN_TEXT in heard and not given.bands:
            yield "verdicts that name texts of campaigns (--verdicts)"
        if RECEIVED_INDICATOR in heard and not given.reports:
            yield "what other providers reported (--received)"
    if when.handle:
        yield from _fields(("reasoning_handle", "reasoning_handle_account"), given)
    if when.operations:
        yield from _fields(("operation",), given)
    if when.limits:
        lacks = [list(_limit(limit, policy, given)) for limit in policy.limit if limit.id in when.limits]
        if all(lacks):
            yield from (lack for one in lacks for lack in one)
    yield from _cohorts(when.cohorts, policy, given)


def _limit(limit: Limit, policy: Policy, given: Given) -> Iterator[str]:
    if limit.counts == "tokens":
        yield from _fields(("output_tokens",), given)
    if limit.counts == "unseen_templates" and not given.texts:
        yield "text, or sketches of it, in the exchanges"
    yield from _cohorts(limit.cohorts, policy, given)


def _cohorts(names: Iterable[str], policy: Policy, given: Given) -> Iterator[str]:
    for cohort in policy.cohort:
        if cohort.id in names:
            yield from _cohort(cohort, given)


def _cohort(cohort: Cohort, given: Given) -> Iterator[str]:
    by_record = cohort.plans or cohort.programmes or cohort.verification or cohort.newer_than_days is not None
    if by_record and not given.accounts:
        yield "account records (--accounts)"
    if cohort.org_ids and not given.accounts:
        yield from _fields(("org_id",), given)


def _fields(names: Iterable[str], given: Given) -> Iterator[str]:
    for name in names:
        if name not in given.fields:
            yield f"the field {name} in the exchanges"
