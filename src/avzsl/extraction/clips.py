"""Decoded clips to features: preprocess clip by clip, encode in batches across clips.

Shapes: N windows of a clip, B windows of a batch, D values a feature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avzsl.decode.ahead import Decoded, Sound
from avzsl.encoders.base import AudioEncoder, VisualEncoder
from avzsl.extraction.batches import WindowBatcher
from avzsl.extraction.chunks import row_stamp
from avzsl.extraction.report import Timings
from avzsl.types import ClipFeatures, Failure, Frames


class ClipEncoder:
    """Turns decoded clips into features with one encoder on one device."""

    def __init__(
        self,
        encoder: AudioEncoder | VisualEncoder,
        *,
        device: torch.device,
        batch_windows: int,
        timings: Timings | None = None,
        done: Callable[[float], None] = lambda media_seconds: None,
    ) -> None:
        """Load the encoder onto the device.

        Args:
            encoder: Not loaded yet.
            device: Where to preprocess and encode.
            batch_windows: The largest batch.
            timings: Counters to add to.
            done: Called for every clip taken in, with its length in seconds.
        """
        self._encoder = encoder
        self._device = device
        self._timings = timings or Timings()
        self._done = done
        with _inference():
            encoder.load(device)
        self._batcher = WindowBatcher(encoder.encode, dim=encoder.dim, batch_windows=batch_windows)

    def encode(self, clips: Iterable[Decoded]) -> tuple[list[ClipFeatures], list[Failure]]:
        """Encode clips; no batch holds windows of two calls.

        Returns:
            The features of the clips that have any, and the failures of all others.

        Raises:
            OSError: If the GPU lacks the memory for a single window.
        """
        timings = self._timings
        failures: dict[str, Failure] = {}
        taken: dict[str, tuple[str, NDArray[np.float64]]] = {}
        for item in self._waiting_for(clips):
            video_id = item.clip.video_id
            if item.payload is None:
                failures[video_id] = _without_path(item)
                self._done(0.0)
                continue
            # A copy: the decoder uses a clip's memory again when nothing refers to it.
            spans = _spans(item.payload).copy()
            taken[video_id] = row_stamp(item.clip), spans
            with _inference():
                self._take(video_id, item.payload, spans)
            seconds = _media_seconds(item)
            timings.media_seconds += seconds
            self._done(seconds)
        with timings.measure("encode"), _inference():
            features, failed = self._batcher.finish()
        failures.update(failed)
        rows = [
            ClipFeatures(video_id=name, stamp=stamp, features=features[name], times=spans)
            for name, (stamp, spans) in taken.items()
            if name in features
        ]
        timings.windows += sum(len(row.features) for row in rows)
        return rows, list(failures.values())

    def _waiting_for(self, clips: Iterable[Decoded]) -> Iterator[Decoded]:
        """Yield the clips and count the time until each is there."""
        stream = iter(clips)
        while True:
            with self._timings.measure("decode_wait"):
                item = next(stream, None)
            if item is None:
                return
            self._timings.clips += 1
            yield item

    def _take(self, video_id: str, payload: Frames | Sound, spans: NDArray[np.float64]) -> None:
        """Preprocess one clip and queue its windows."""
        try:
            with self._timings.measure("preprocess"):
                windows = self._preprocess(payload)
        except Exception as error:  # whatever an encoder raises costs this clip only
            self._batcher.fail(video_id, error)
            return
        if len(windows) != len(spans) or not len(spans):
            self._batcher.fail(
                video_id, f"preprocessing gave {len(windows)} windows, expected {len(spans)}"
            )
            return
        with self._timings.measure("encode"):
            self._batcher.add(video_id, windows)

    def _preprocess(self, payload: Frames | Sound) -> Tensor:
        if isinstance(payload, Sound):
            audio = cast(AudioEncoder, self._encoder)
            return audio.preprocess(payload.waveform, payload.spans)
        return cast(VisualEncoder, self._encoder).preprocess(payload)


def _without_path(item: Decoded) -> Failure:
    """Return why a clip was not decoded; without its path, clips with one reason are one group."""
    assert item.failure is not None
    reason = item.failure.reason.removeprefix(f"{item.clip.path}: ")
    return replace(item.failure, reason=reason)


def _spans(payload: Frames | Sound) -> NDArray[np.float64]:
    return payload.spans if isinstance(payload, Sound) else payload.plan.spans


def _media_seconds(item: Decoded) -> float:
    """Return the length of the clip that was decoded, of its segment if it has one."""
    if isinstance(item.payload, Sound):  # which is cut to the segment already
        return item.payload.waveform.duration_seconds
    assert item.payload is not None
    duration = item.payload.info.duration_seconds
    end = duration if item.clip.end_seconds is None else min(item.clip.end_seconds, duration)
    return max(end - (item.clip.start_seconds or 0.0), 0.0)


@contextmanager
def _inference() -> Iterator[None]:
    """No gradients, and convolutions whose result does not change from run to run."""
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    cudnn.benchmark, cudnn.deterministic = False, True
    try:
        with torch.inference_mode():
            yield
    finally:
        cudnn.benchmark, cudnn.deterministic = before
