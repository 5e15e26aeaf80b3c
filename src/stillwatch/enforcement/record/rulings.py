"""Where rulings are settled: on the disk first, then in force here, then told to replicas."""

from collections.abc import Callable

import msgspec

from stillwatch.enforcement.record.store import Ruling, Store

Apply = Callable[[Ruling], None]
_MICROSECOND = 1e-6


class Rulings:
    """The rulings of a store. Whoever acts on a kind of them registers with `on`, and hears what holds already."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._apply: dict[str, Apply] = {}
        self._tell: Apply | None = None

    def on(self, kind: str, apply: Apply, now_s: float) -> None:
        """Have rulings of a kind put in force by `apply`, from those that hold at a moment on."""
        self._apply[kind] = apply
        for ruling in self._store.rulings(now_s):
            if ruling.kind == kind:
                apply(ruling)

    def tell(self, tell: Apply) -> None:
        """Have what is settled here told to others."""
        self._tell = tell

    def settle(self, ruling: Ruling) -> None:
        """Keep a ruling of this replica, put it in force and tell it; it is made the latest of its name."""
        latest = self._store.moment_of(ruling)
        if latest is not None:
            ruling = msgspec.structs.replace(ruling, ts=max(ruling.ts, latest + _MICROSECOND))
        if self.receive(ruling) and self._tell is not None:
            self._tell(ruling)

    def receive(self, ruling: Ruling) -> bool:
        """Keep a ruling and put it in force, unless a later one is known; returns whether it was news."""
        if not self._store.put_ruling(ruling):
            return False
        apply = self._apply.get(ruling.kind)
        if apply is not None:
            apply(ruling)
        return True

    def all(self, now_s: float) -> list[Ruling]:
        """Return what holds at a moment."""
        return self._store.rulings(now_s)
