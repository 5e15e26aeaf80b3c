"""What tokens and private set intersection cost: key holder, client, and two parties with a hundred thousand each.

Run `python benchmarks/matching.py [--identifiers 100000] [--threads 1]`. CPU time of the process, best of five rounds
of a batch of 1,000; the intersection runs once, both sides in this process, each message written to bytes and read.
"""

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from stillwatch.sharing.matching import group
from stillwatch.sharing.matching.evaluate import EvaluationReply, EvaluationRequest, evaluate
from stillwatch.sharing.matching.key_ring import new_ring
from stillwatch.sharing.matching.keys import Key
from stillwatch.sharing.matching.multiscalar import prepare, weighted_sum
from stillwatch.sharing.matching.psi import Answerer, Asker
from stillwatch.sharing.matching.suite_rbcl import SodiumBlinding, add_evaluations
from stillwatch.sharing.matching.suite_voprf import RustBlinding, RustEvaluator

_BATCH, _ROUNDS = 1_000, 5
_SEED, _INFO = bytes(range(32)), b"benchmark"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identifiers", type=int, default=100_000, help="of each side of the intersection")
    parser.add_argument("--threads", type=int, default=1, help="of each side of the intersection")
    options = parser.parse_args()
    started = time.perf_counter()
    prepare()
    print(f"compiled code ready after {time.perf_counter() - started:.1f} s\n")
    print("| batch of 1,000 | us each | each second |\n|---|---|---|")
    _tokens()
    _threads()
    _intersection(options.identifiers, options.threads)


def _measured(name: str, work: Callable[[], object], count: int = _BATCH) -> None:
    best = float("inf")
    for _ in range(_ROUNDS):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    print(f"| {name} | {best / count * 1e6:.1f} | {count / best:,.0f} |")


def _tokens() -> None:
    key = Key(group.derive_scalar(_SEED, _INFO))
    hub, trustee = key.split()
    rust = RustEvaluator(_SEED, _INFO)
    inputs = [b"email:" + os.urandom(8).hex().encode() + b"@example.org" for _ in range(_BATCH)]
    blinding, other = SodiumBlinding(inputs), RustBlinding(inputs)
    blinded = blinding.blinded
    ring = new_ring("bench", 0, 1_000, key)
    body = msgspec.json.encode(EvaluationRequest(blinded=[element.hex() for element in blinded]))
    evaluation = key.evaluator.evaluate(blinded)
    shares = [(share.evaluator.evaluate(blinded), share.public_key) for share in (hub, trustee)]
    weights = [group.random_scalar() for _ in blinded]

    def over_json() -> bytes:
        return msgspec.json.encode(evaluate(ring, msgspec.json.decode(body, type=EvaluationRequest), 1.0))

    def split() -> list[bytes]:
        halves = [share.evaluator.evaluate(blinded).elements for share in (hub, trustee)]
        return add_evaluations(halves[0], halves[1])

    def one_by_one() -> bytes:
        total = bytes(32)
        for weight, point in zip(weights, blinded, strict=True):
            total = group.add(total, group.multiply(weight, point) or bytes(32))
        return total

    msgspec.json.decode(over_json(), type=EvaluationReply)
    _measured("holder: evaluate and prove", lambda: key.evaluator.evaluate(blinded))
    _measured("holder: the same, JSON to JSON", over_json)
    _measured("two holders of a split key, and their sum", split)
    _measured("voprf: evaluate and prove", lambda: rust.evaluate(blinded))
    _measured("client: blind", lambda: SodiumBlinding(inputs))
    _measured("client: verify and finish", lambda: blinding.finalize(evaluation, key.public_key))
    _measured("client: verify and finish, split key", lambda: blinding.finalize_shares(shares))
    rust_evaluation = rust.evaluate(other.blinded)
    _measured("voprf: blind", lambda: RustBlinding(inputs))
    _measured("voprf: verify (twice) and finish", lambda: other.finalize(rust_evaluation, rust.public_key))
    _measured("voprf: outputs of a holder's own list", lambda: [rust.output(value) for value in inputs])
    _measured("composite: sum by buckets", lambda: weighted_sum(b"".join(blinded), b"".join(weights)))
    _measured("composite: one by one", one_by_one)


def _threads() -> None:
    key = Key(group.derive_scalar(_SEED, _INFO))
    blinded = SodiumBlinding([b"a%d" % number for number in range(_BATCH)]).blinded
    walls = []
    for threads in (1, 2):
        with ThreadPoolExecutor(threads) as pool:
            started = time.perf_counter()
            list(pool.map(lambda _: key.evaluator.evaluate(blinded), range(8)))
            walls.append(time.perf_counter() - started)
    print(f"\ntwo threads evaluate {walls[0] / walls[1]:.2f} times as much as one")


def _intersection(count: int, threads: int) -> None:
    ours = [b"email:a%d@example.org" % number for number in range(count)]
    theirs = [b"email:a%d@example.org" % number for number in range(count - count // 10, 2 * count - count // 10)]
    print(f"\n| intersection of {count:,} and {count:,} | CPU s | bytes |\n|---|---|---|")
    begun, started = time.perf_counter(), time.process_time()
    total = 0.0

    def step(name: str, size: int = 0) -> None:
        nonlocal started, total
        spent = time.process_time() - started
        total += spent
        print(f"| {name} | {spent:.1f} | {size or ''} |")
        started = time.process_time()

    asker = Asker(ours, threads=threads)
    step("asker: blind")
    first = asker.offer()
    step("asker: offer", len(first))
    answerer = Answerer(theirs, threads=threads)
    step("answerer: own tags")
    second = answerer.offer(first)
    step("answerer: offer", len(second))
    question = asker.question(second)
    step("asker: question", len(question))
    answer = answerer.answer(question)
    step("answerer: answer", len(answer))
    overlap = asker.overlap(answer)
    step("asker: verify, finish, compare")
    exact = overlap == sorted(set(ours) & set(theirs))
    print(f"| both sides | {total:.1f} | {len(first) + len(second) + len(question) + len(answer)} |")
    wall = time.perf_counter() - begun
    print(f"\n{len(overlap):,} in common, {'exact' if exact else 'WRONG'}; {wall:.0f} s with {threads} threads")


if __name__ == "__main__":
    main()
