"""One file per signal: features of an account in, a score out. The built-in ones, in the order in which they report."""

from stillwatch.detection.signals.base import Signal
from stillwatch.detection.signals.intent import Intent
from stillwatch.detection.signals.novelty import Novelty
from stillwatch.detection.signals.outlier import Outlier

SIGNALS: tuple[Signal, ...] = (Outlier(), Novelty(), Intent())
