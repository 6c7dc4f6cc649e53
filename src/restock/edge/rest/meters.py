"""What /metrics tells, in the text format of Prometheus. Counting costs an addition; the text is made when asked for.

Names, kinds, labels and help are those of `restock.core.metric`; a sample that does not fit its metric there is a defect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from restock.core.errors import RestockError
from restock.core.metric import METRICS, registered
from restock.edge.calls import ANSWERED, ASKED, BUCKETS_MS, Meter
from restock.edge.wire import number_text
from restock.engine.stream import Record
from restock.replenishment.port import RunTold

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

COHORTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Upper bounds of the histogram of cohorts."""


@dataclass
class FlowMeter:
    """Runs of flows, cohorts and orders, as an observer of replenishment."""

    outcomes: dict[str, int] = field(default_factory=dict)
    approvals: dict[str, int] = field(default_factory=dict)
    cohorts: list[int] = field(default_factory=lambda: [0] * (len(COHORTS) + 1))
    cohort_runs: int = 0

    def observe(self, told: RunTold) -> None:
        """Count a run."""
        reply = told.reply
        outcome = "error" if isinstance(reply, RestockError) else reply.outcome
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        if outcome == "ordered":
            person = not isinstance(reply, RestockError) and reply.calculation.requires_approval
            approval = "person" if person else "auto"
            self.approvals[approval] = self.approvals.get(approval, 0) + 1
        if told.cohort:
            self.cohorts[next((at for at, most in enumerate(COHORTS) if told.cohort <= most), -1)] += 1
            self.cohort_runs += told.cohort


class Meters:
    """The counters of this process."""

    def __init__(self) -> None:
        self.routes: dict[tuple[str, str], Meter] = {}
        self.flows = FlowMeter()
        self.parked: dict[str, int] = {}
        self.in_flight = 0

    def route(self, verb: str, path: str) -> Meter:
        """Give the meter of a route; get it once and keep it."""
        return self.routes.setdefault((verb, path), Meter())

    def on_parked(self, group: str, _record: Record, _error: Exception, _attempts: int) -> None:
        """Count a dead letter, as an observer of them."""
        self.parked[group] = self.parked.get(group, 0) + 1

    def write(self, text: Text) -> None:
        """Write what was counted here."""
        routes = [((verb, path), meter) for (verb, path), meter in sorted(self.routes.items()) if meter.count]
        _calls(text, "restock_http_requests_total", "restock_http_request_seconds", routes)
        text.one("restock_http_requests_in_flight", self.in_flight)
        for counts, seconds, meters in (
            ("restock_grpc_requests_total", "restock_grpc_request_seconds", ANSWERED),
            ("restock_neighbour_calls_total", "restock_neighbour_call_seconds", ASKED),
        ):
            _calls(text, counts, seconds, [((method,), meter) for method, meter in sorted(meters.items())])
        flows = self.flows
        text.many("restock_flows_total", [((outcome,), n) for outcome, n in sorted(flows.outcomes.items())])
        text.many("restock_flow_orders_total", [((who,), n) for who, n in sorted(flows.approvals.items())])
        if ordered := sum(flows.approvals.values()):
            text.one("restock_automation_ratio", f"{flows.approvals.get('auto', 0) / ordered:.6f}")
        text.histogram("restock_cohort_runs", [((), COHORTS, flows.cohorts, str(flows.cohort_runs))])
        text.many("restock_dead_letters_total", [((group,), n) for group, n in sorted(self.parked.items())])


def _calls(text: Text, counts: str, seconds: str, meters: Iterable[tuple[tuple[str, ...], Meter]]) -> None:
    found = list(meters)
    samples = [((*place, str(status)), n) for place, meter in found for status, n in _sorted(meter.statuses)]
    text.many(counts, samples)
    bounds = [bound / 1000 for bound in BUCKETS_MS]
    text.histogram(seconds, [(place, bounds, one.buckets, f"{one.total_ns / 1e9:.6f}") for place, one in found])


def _sorted(statuses: Mapping[object, int]) -> list[tuple[object, int]]:
    return sorted(statuses.items(), key=lambda one: str(one[0]))


class Text:
    """Samples by metric; `made` gives the text, metrics in the order of the table."""

    def __init__(self) -> None:
        self._samples: dict[str, list[tuple[str, Mapping[str, str], str]]] = {name: [] for name in METRICS}

    def one(self, name: str, value: object) -> None:
        """Take the value of a metric without labels."""
        self.many(name, [((), value)])

    def many(self, name: str, samples: Iterable[tuple[tuple[str, ...], object]]) -> None:
        """Take values with their labels, in the order of the table. Raises ValueError for others."""
        labels, kept = METRICS[name].labels, self._samples[name]
        for given, value in samples:
            kept.append(
                ("", dict(zip(labels, given, strict=True)), value if isinstance(value, str) else _number(value))
            )

    def histogram(self, name: str, given: Iterable[tuple[tuple[str, ...], Iterable[object], list[int], str]]) -> None:
        """Take histograms: labels, upper bounds, counts of which the last is of what lies above, and the sum."""
        labels, kept = METRICS[name].labels, self._samples[name]
        for values, bounds, counts, total in given:
            place = dict(zip(labels, values, strict=True))
            for bound, count in zip([*bounds, "+Inf"], accumulate(counts), strict=True):
                kept.append(("_bucket", {**place, "le": bound if isinstance(bound, str) else f"{bound:g}"}, str(count)))
            kept.append(("_sum", place, total))
            kept.append(("_count", place, str(sum(counts))))

    def registered(self) -> None:
        """Take what parts of the program registered."""
        for name in METRICS:
            self.many(name, registered(name))

    def made(self) -> bytes:
        """Give the text."""
        lines: list[str] = []
        for name, samples in self._samples.items():
            metric = METRICS[name]
            lines.append(f"# HELP {name} {metric.told}")
            lines.append(f"# TYPE {name} {metric.kind}")
            for suffix, labels, value in samples:
                inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
                lines.append(f"{name}{suffix}{{{inside}}} {value}" if inside else f"{name}{suffix} {value}")
        return ("\n".join(lines) + "\n").encode()


def _number(value: object) -> str:
    return f"{value:.6f}" if isinstance(value, float) else number_text(value)  # type: ignore[arg-type]  # int or Decimal


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


Reader = Callable[[Text], None]
