"""What a person sees of an extraction, and the settings that steer it."""

from __future__ import annotations

import io
import logging
import subprocess
import sys

import pytest

from avzsl.extraction import progress
from avzsl.extraction.progress import Progress
from avzsl.extraction.settings import ExtractionSettings
from avzsl.options import from_dict, json_schema


class Clock:
    """Time that passes when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_in_place_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, stream = Clock(monkeypatch), Terminal()
    with Progress(8, "ears 003", stream=stream) as bar:
        for _ in range(8):
            clock.now += 0.5
            bar.advance(2.0)
    lines = stream.getvalue().split("\r")[1:]
    assert len(lines) == 9
    assert lines[3] == "ears 003 [############............] 4/8 clips, 2.0 clips/s, 4.0 x real time"
    assert lines[-1].startswith("ears 003 [########################] 8/8")
    assert lines[-1].endswith("\n")


def test_a_line_a_minute_in_a_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, stream = Clock(monkeypatch), io.StringIO()
    with caplog.at_level(logging.INFO), Progress(1000, "ears 003", stream=stream) as bar:
        for _ in range(250):
            clock.now += 0.5
            bar.advance(1.0)
    assert stream.getvalue() == ""
    assert caplog.messages == [
        "ears 003: 120/1000 clips, 2.0 clips/s, 2.0 x real time",
        "ears 003: 240/1000 clips, 2.0 clips/s, 2.0 x real time",
    ]


def test_every_setting_is_documented_and_bounded() -> None:
    described = json_schema(ExtractionSettings)["properties"]
    assert all(setting["description"] for setting in described.values())
    for wrong in (
        {"max_failure_rate": 1.1},
        {"batch_windows": 0},
        {"workers": 0},
        {"timeout_seconds": 0},
        {"decoder": "best"},
        {"batch": 3},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            from_dict(ExtractionSettings, wrong)


def test_batches_suit_the_device_unless_told() -> None:
    assert ExtractionSettings().windows_per_batch("cpu") == 16
    assert ExtractionSettings().windows_per_batch("cuda") == 256
    assert ExtractionSettings(batch_windows=3).windows_per_batch("cuda") == 3


def test_threads_are_divided_between_decoding_and_encoding() -> None:
    def divided(threads: int, workers: int | None = None) -> tuple[int, int]:
        settings = ExtractionSettings(workers=workers)
        return settings.decoding_processes(threads), settings.encoding_threads(threads)

    assert [divided(threads) for threads in (1, 2, 8)] == [(1, 1), (1, 1), (7, 1)]
    assert divided(8, workers=2) == (2, 6)
    assert divided(2, workers=3) == (3, 1)


def test_the_settings_import_no_torch() -> None:
    code = "import sys, avzsl.extraction.settings; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
