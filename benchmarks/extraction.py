"""How well decoding and encoding overlap: wall time of both, over that of the slower one alone.

    python benchmarks/extraction.py                           made-up clips
    python benchmarks/extraction.py clip.mp4 other.webm       your own
    python benchmarks/extraction.py --encoders signal-audio --device cuda

Each encoder runs three times on the same clips with the same processes and threads: decoding with
nobody to encode, encoding of clips that lie decoded in memory, and the whole extraction up to the
finished shard. "cpu" is the processor time of the whole over wall time and cores: near 1
there is nothing left to gain by overlapping.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import torch

from avzsl.decode.ahead import DecodeAhead, Decoded, DecodeTask
from avzsl.decode.choice import choose_decoder
from avzsl.device import choose_device
from avzsl.encoders import encoders
from avzsl.encoders.base import AudioEncoder, VisualEncoder
from avzsl.extraction.chunks import CHUNK_CLIPS
from avzsl.extraction.clips import ClipEncoder
from avzsl.extraction.engine import extract
from avzsl.extraction.settings import ExtractionSettings
from avzsl.types import ClipRef

MADE_UP = 6
"""Distinct made-up files."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """Seconds that one encoder took on all clips."""

    media: float
    decode: float
    encode: float
    both: float
    cpu: float

    @property
    def ratio(self) -> float:
        """The whole over the slower half; 1 is perfect."""
        return self.both / max(self.decode, self.encode)


def main() -> None:
    args = parse()
    device, reason = choose_device(args.device)
    settings = ExtractionSettings(workers=args.workers, batch_windows=args.batch_windows)
    processes = settings.decoding_processes(args.threads)
    torch.set_num_threads(settings.encoding_threads(args.threads))
    print(f"{device} ({reason}), {processes} decoding, {torch.get_num_threads()} encoding threads")
    print(choose_decoder(settings.decoder, str(device)))
    with tempfile.TemporaryDirectory() as folder:
        files = args.clips or make_clips(Path(folder), seconds=args.seconds)
        clips = [
            ClipRef(video_id=f"{i:05d}", path=str(files[i % len(files)]), stamp="1")
            for i in range(args.count)
        ]
        print(f"{'encoder':20}  clips  media s  decode s  encode s   both s  ratio  clips/s   cpu")
        for name in args.encoders:
            result = measure(name, clips, Path(folder), settings, device, args.threads)
            print(
                f"{name:20} {len(clips):6} {result.media:8.1f} {result.decode:9.2f} "
                f"{result.encode:9.2f} {result.both:8.2f} {result.ratio:6.3f} "
                f"{len(clips) / result.both:8.1f} {result.cpu:5.2f}",
                flush=True,
            )


def parse() -> argparse.Namespace:
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("clips", nargs="*", type=Path, help="video files (default: made up)")
    parser.add_argument("--encoders", nargs="+", default=["signal-audio", "signal-visual"])
    parser.add_argument("--count", type=int, default=96, help="clips; files repeat (default: 96)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a made-up clip (default: 5)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: auto)")
    parser.add_argument("--threads", type=int, default=cores, help=f"of the job (default: {cores})")
    parser.add_argument("--workers", type=int, help="decoding processes (default: by threads)")
    parser.add_argument("--batch-windows", type=int, help="default: by device")
    return parser.parse_args()


def measure(
    name: str,
    clips: Sequence[ClipRef],
    folder: Path,
    settings: ExtractionSettings,
    device: torch.device,
    threads: int,
) -> Result:
    """Time decoding alone, encoding alone, and both."""

    def encoder() -> AudioEncoder | VisualEncoder:
        return cast(AudioEncoder | VisualEncoder, encoders.get(name).from_dict({}))

    workers = settings.decoding_processes(threads)
    # The first time warms the file cache.
    decoded, _ = decode(clips, encoder(), settings, device, workers=workers)
    _, decode_seconds = decode(clips, encoder(), settings, device, workers=workers, keep=False)
    started = time.perf_counter()
    batch_windows = settings.windows_per_batch(device.type)
    alone = ClipEncoder(encoder(), device=device, batch_windows=batch_windows)
    for first in range(0, len(decoded), CHUNK_CLIPS):
        alone.encode(decoded[first : first + CHUNK_CLIPS])
    encode_seconds = time.perf_counter() - started
    del decoded
    before = cpu_seconds()
    report = extract(
        clips,
        encoder(),
        folder / name / "0.h5",
        dataset="benchmark",
        encoder_name=name,
        members_id="benchmark",
        settings=settings,
        device=device,
        threads=threads,
    )
    both_seconds = report.timings.wall_seconds
    cores = len(os.sched_getaffinity(0))
    return Result(
        media=report.timings.media_seconds,
        decode=decode_seconds,
        encode=encode_seconds,
        both=both_seconds,
        cpu=(cpu_seconds() - before) / both_seconds / cores,
    )


def decode(
    clips: Sequence[ClipRef],
    encoder: AudioEncoder | VisualEncoder,
    settings: ExtractionSettings,
    device: torch.device,
    *,
    workers: int,
    keep: bool = True,
) -> tuple[list[Decoded], float]:
    """Decode all clips; return them, if they are to be kept, and the seconds that it took."""
    task = DecodeTask(
        modality="audio" if isinstance(encoder, AudioEncoder) else "visual",
        windows=encoder.windows,
        decoder=choose_decoder(settings.decoder, str(device)),
    )
    ahead_bytes = settings.ahead_megabytes * 2**20
    started = time.perf_counter()
    with DecodeAhead(
        clips, task, workers=workers, timeout_seconds=60, ahead_bytes=ahead_bytes
    ) as ahead:
        kept = [item for item in ahead if keep]
    return kept, time.perf_counter() - started


def cpu_seconds() -> float:
    """Return the processor time of this process and its ended children."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def make_clips(folder: Path, *, seconds: float) -> list[Path]:
    """Write MP4 files, 320x240 at 25 frames a second with stereo sound, like UCF101's."""
    paths = []
    for number in range(MADE_UP):
        path = folder / f"{number}.mp4"
        write_clip(path, seconds=seconds, seed=number)
        paths.append(path)
    return paths


def write_clip(path: Path, *, seconds: float, seed: int, rate: int = 44_100, fps: int = 25) -> None:
    random = np.random.default_rng(seed)
    noise = random.integers(0, 40, (240, 640, 3)).astype(np.uint8)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps, width=320, height=240)
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=rate, layout="stereo")
        for index in range(round(seconds * fps)):
            shift = index * (1 + seed) % 320
            picture = np.ascontiguousarray(noise[:, shift : shift + 320]) + np.uint8(60 + index)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        times = np.arange(round(seconds * rate)) / rate
        tone = 0.3 * np.sin(2 * np.pi * (200 + 90 * seed) * times) + 0.01 * random.standard_normal(
            len(times)
        )
        frame = av.AudioFrame.from_ndarray(
            np.stack([tone, tone]).astype(np.float32), format="fltp", layout="stereo"
        )
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        container.mux(audio.encode(frame))
        container.mux(audio.encode())


if __name__ == "__main__":
    main()
