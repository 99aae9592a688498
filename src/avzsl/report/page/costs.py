"""What each stage cost: Snakemake's benchmark files, devices from the logs, extraction counters."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from avzsl.report.page.attributes import read_attributes
from avzsl.report.page.records import NOTHING, Table, text_table
from avzsl.shards.feature_index import FeatureIndex
from avzsl.shards.layout import ATTRIBUTES

STAGES = (
    "demo",
    "manifest",
    "convert",
    "extract",
    "index",
    "embed_classes",
    "optimise_classes",
    "train",
    "evaluate",
    "table",
    "statistics",
    "figures",
)
"""Folders of ``logs`` in the order of the work; others come after them."""
NEEDED = ("manifest", "extract", "index", "embed_classes", "train", "evaluate", "table")
"""Stages that every result table needs."""
OWN = "report"
"""The stage that makes the page; it cannot know its own cost."""
_DEVICE = re.compile(r": device: (.+)$")


@dataclass(kw_only=True)
class StageCost:
    """The jobs of one stage, each as it last ran."""

    seconds: list[float] = field(default_factory=list)
    """Wall time of each job."""
    cpu_seconds: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    """Largest resident memory of each job."""
    unmeasured: int = 0
    """Jobs with a log and without a readable benchmark file."""


def read_costs(logs: Path) -> dict[str, StageCost]:
    """Return stage -> what its jobs cost; stages that every table needs are always there.

    Args:
        logs: The folder of logs; every job has ``NAME.log`` and ``NAME.tsv`` there. Missing files
            are counted and are no error.
    """
    found: dict[str, StageCost] = defaultdict(StageCost)
    jobs = {path.with_suffix("") for ending in ("tsv", "log") for path in logs.rglob(f"*.{ending}")}
    for job in sorted(jobs):
        stage = job.relative_to(logs).parts[0]
        if stage == OWN:
            continue
        measured = _read_benchmark(job.with_name(f"{job.name}.tsv"))
        if measured is None:
            found[stage].unmeasured += 1
            continue
        found[stage].seconds.append(measured[0])
        found[stage].cpu_seconds.append(measured[1])
        found[stage].memory_mb.append(measured[2])
    for stage in NEEDED:
        found[stage]
    order = {stage: i for i, stage in enumerate(STAGES)}
    return dict(sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))


def _read_benchmark(path: Path) -> tuple[float, float, float] | None:
    """Return wall seconds, CPU seconds and peak MB; None where they are not known."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            row = next(csv.DictReader(file, delimiter="\t"))
        seconds = float(row["s"])
    except (OSError, StopIteration, KeyError, TypeError, ValueError):
        return None
    return seconds, _number(row.get("cpu_time")), _number(row.get("max_rss"))


def _number(text: str | None) -> float:
    """Return a value that Snakemake could not take from a job of an instant as 0."""
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def cost_table(costs: dict[str, StageCost]) -> Table:
    """Return a row for each stage; what was not measured is said."""
    body = []
    for stage, cost in costs.items():
        measured = bool(cost.seconds)
        body.append(
            [
                stage,
                len(cost.seconds),
                sum(cost.seconds) if measured else NOTHING,
                max(cost.seconds) if measured else NOTHING,
                sum(cost.cpu_seconds) if measured else NOTHING,
                max(cost.memory_mb) if measured else NOTHING,
            ]
        )
    notes = [
        "Of each job its last run, of whatever configuration; jobs run at the same time, so that "
        "the sum is not the time that one waits."
    ]
    missing = [stage for stage, cost in costs.items() if not cost.seconds and not cost.unmeasured]
    if missing:
        notes.append(f"No benchmark files of: {', '.join(missing)}.")
    notes += [
        f"{stage}: {cost.unmeasured:,} job(s) have a log and no benchmark file."
        for stage, cost in costs.items()
        if cost.unmeasured
    ]
    heads = ["stage", "jobs", "seconds, sum", "seconds, longest", "CPU seconds, sum", "peak MB"]
    return text_table("Time and memory of each stage", heads, body, notes=notes)


def read_devices(logs: Path) -> dict[str, Counter[str]]:
    """Return stage -> device and reason, as the logs say -> number of jobs."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for path in sorted(logs.rglob("*.log")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            match = _DEVICE.search(line)
            if match:
                found[path.relative_to(logs).parts[0]][match[1]] += 1
                break
    return dict(found)


def device_table(devices: dict[str, Counter[str]]) -> Table:
    """Return which device the jobs of each stage ran on."""
    body = [[stage, name, n] for stage, names in devices.items() for name, n in names.items()]
    heads = ["stage", "device", "jobs"]
    return text_table("Devices, as the logs say", heads, body)


def extraction_table(indexes: Sequence[FeatureIndex]) -> Table:
    """Return where the time of extraction went, all shards of an encoder added up."""
    body = []
    for index in indexes:
        times = json.loads(read_attributes(index.path).get(ATTRIBUTES.timings, "{}"))
        body.append(
            [
                index.header.encoder,
                index.header.dataset,
                *(int(times[name]) if name in times else None for name in ("clips", "windows")),
                *(
                    float(times[name]) if name in times else None
                    for name in (
                        "media_seconds",
                        "wall_seconds",
                        "decode_wait_seconds",
                        "preprocess_seconds",
                        "encode_seconds",
                        "write_seconds",
                    )
                ),
            ]
        )
    heads = ["encoder", "dataset", "clips", "windows", "seconds of media", "wall seconds"]
    phases = ["waiting for decoding", "preprocessing", "encoding", "writing"]
    notes = ["Seconds, all shards added up; the last four are parts of the wall time."]
    return text_table("Extraction", [*heads, *phases], body, notes=notes)
