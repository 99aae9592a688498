"""Milliseconds a clip for each decoder, task by task, and what the pool of workers adds.

    python benchmarks/decoders.py                              two made-up clips of 10 s
    python benchmarks/decoders.py clip.mp4 other.webm          your own
    python benchmarks/decoders.py --decoders pyav torchcodec --device cuda --repeat 9

Each decoder runs in one process on one thread, opening the file anew each time, as a worker does.
Times are medians; the number in brackets is the ratio to PyAV. torchcodec and decord are left out
where they do not work. The last lines hand arrays from a worker to this process and decode the
same clips with the pool, so that its own cost shows.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np

from avzsl.decode.ahead import DecodeAhead, DecodeTask, Sound
from avzsl.decode.audio import read_audio
from avzsl.decode.choice import DecoderChoice, choose_decoder
from avzsl.decode.errors import DecodeError, NoStream, TooShort
from avzsl.decode.probe import probe
from avzsl.decode.sampling import AudioWindows, VideoWindows
from avzsl.decode.video import load_backend, read_frames
from avzsl.types import ClipRef, Waveform

MADE_UP = [("320x240", 25, 400_000), ("1280x720", 30, 2_500_000)]
"""Size, frames per second, bits per second: a clip of UCF101's kind and one of VGGSound's."""
TRANSFER_FRAMES = 256
CPU_ONLY = ("pyav", "decord")
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
Timer: TypeAlias = Callable[[Callable[[], object]], float]
"""From something to do to the milliseconds that it takes."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="*", type=Path, help="videos (default: made up)")
    parser.add_argument("--decoders", nargs="+", default=["pyav", "torchcodec", "decord"])
    parser.add_argument("--device", default="cpu", help="for torchcodec: cpu, cuda (default: cpu)")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each (default: 5)")
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="cpu: processor time of this process, for a machine that is busy with other work",
    )
    parser.add_argument("--workers", type=int, default=2, help="of the pool (default: 2)")
    args = parser.parse_args()
    choices = usable(args.decoders, args.device)
    with tempfile.TemporaryDirectory() as folder:
        clips = args.clips or [make_clip(Path(folder), *kind) for kind in MADE_UP]
        for clip in clips:
            compare(clip, choices, functools.partial(median, CLOCKS[args.clock], args.repeat))
        transfer()
        pool([str(clip) for clip in clips] * 10, choices[0], args.workers)


def usable(names: Sequence[str], device: str) -> list[DecoderChoice]:
    """Load the decoders; start this program anew if one needs FFmpeg on the loader's path."""
    choices = []
    for name in names:
        try:
            choice = choose_decoder(name, "cpu" if name in CPU_ONLY else device)  # type: ignore[arg-type]
        except ValueError as error:
            print(f"left out: {error}")
            continue
        if choice.library_path and not os.environ.get("AVZSL_BENCHMARK_STARTED"):
            started = {"LD_LIBRARY_PATH": choice.library_path, "AVZSL_BENCHMARK_STARTED": "1"}
            os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **started})
        choices.append(choice)
    for choice in choices:
        load_backend(choice)
        print(f"{choice}; {choice.version}")
    return choices


def make_clip(folder: Path, size: str, rate: int, bit_rate: int) -> Path:
    """Write 10 s of a test picture with noise (H.264 with B-frames, 10 s a keyframe) and a tone."""
    path = folder / f"{size}.mp4"
    with (
        av.open(f"testsrc2=s={size}:r={rate}:d=10,noise=alls=8:allf=t", format="lavfi") as source,
        av.open("sine=d=10:r=44100", format="lavfi") as tone,
        av.open(str(path), "w") as container,
    ):
        video = container.add_stream("libx264", rate=rate, bit_rate=bit_rate)
        video.width, video.height = (int(side) for side in size.split("x"))
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=44100, layout="mono")
        for frame in source.decode(video=0):
            frame.pict_type = 0
            container.mux(video.encode(frame.reformat(format="yuv420p")))
        container.mux(video.encode(None))
        resampler = av.AudioResampler("fltp", "mono", 44100)
        for sound in tone.decode(audio=0):
            container.mux([p for part in resampler.resample(sound) for p in audio.encode(part)])
        container.mux(audio.encode(None))
    return path


def tasks(seconds: float, rate: float) -> dict[str, VideoWindows]:
    """Windows of the encoders that stand for many: sparse pictures, and all of them."""
    whole = functools.partial(VideoWindows, length_seconds=seconds - 0.01, hop_seconds=seconds)
    return {
        "8 pictures": whole(frames=8),
        "16 pictures": whole(frames=16),
        "16 in the last 2 s": VideoWindows(length_seconds=1.9, hop_seconds=1.9, frames=16),
        "all pictures": whole(frames=round(seconds * rate)),
    }


def compare(path: Path, choices: Sequence[DecoderChoice], timer: Timer) -> None:
    """Print a table for one clip."""
    info = probe(str(path))
    if info.video is not None:
        video = info.video
        seconds = video.duration_seconds
        print(f"\n{path.name}: {video.codec} {video.width}x{video.height}, {seconds:.1f} s", end="")
        print(f", {len(video.pts_seconds)} frames, milliseconds")
        print(f"  {'':20}" + "".join(f"{choice.name:>20}" for choice in choices))
        print(f"  {'probe':20}{timer(lambda: probe(str(path))):20.1f}")
        for label, windows in tasks(seconds, video.fps).items():
            start = max(0.0, seconds - 2) if "last" in label else 0.0
            row = [picture_ms(path, windows, start, choice, timer) for choice in choices]
            print(f"  {label:20}" + "".join(f"{cell(ms, row[0]):>20}" for ms in row))
    if info.audio is not None:
        print(f"  {'sound':20}{timer(lambda: read_audio(str(path))):20.1f}")


def picture_ms(
    path: Path, windows: VideoWindows, start: float, choice: DecoderChoice, timer: Timer
) -> float | None:
    """Return the median time, or None where the decoder cannot read the file."""
    try:
        return timer(lambda: read_frames(str(path), windows, decoder=choice, start_seconds=start))
    except (DecodeError, NoStream, TooShort):
        return None


def cell(ms: float | None, reference: float | None) -> str:
    if ms is None:
        return "-"
    return f"{ms:.1f}" + (f" ({ms / reference:.2f})" if reference else "")


def median(clock: Callable[[], float], repeat: int, function: Callable[[], object]) -> float:
    """Return the median time of ``function`` in milliseconds, after one run to warm up."""
    function()
    times = []
    for _ in range(repeat):
        begin = clock()
        function()
        times.append(1e3 * (clock() - begin))
    return statistics.median(times)


_SAMPLES = np.ones((1, TRANSFER_FRAMES * 224 * 224 * 3 // 4), np.float32)


def constant(clip: ClipRef, task: DecodeTask) -> Sound:
    """Stand in for a decoder that takes no time."""
    return Sound(waveform=Waveform(samples=_SAMPLES, sample_rate=1), spans=np.zeros((1, 2)))


def transfer() -> None:
    """Print how fast arrays of the size of 256 pictures of 224x224 reach this process."""
    sys.modules.setdefault("decoders", sys.modules[__name__])
    constant.__module__ = "decoders"  # the name under which a worker can import it
    task = DecodeTask(
        modality="audio",
        windows=AudioWindows(length_seconds=1.0, hop_seconds=1.0),
        decoder=DecoderChoice(name="pyav"),
        read=constant,
    )
    clips = [ClipRef(video_id=str(number), path=__file__) for number in range(60)]
    with DecodeAhead(clips, task, workers=1, timeout_seconds=60, ahead_bytes=1 << 28) as ahead:
        results = iter(ahead)
        for _ in range(10):
            next(results)
        begin = time.perf_counter()
        size = sum(_SAMPLES.nbytes for _ in results)
        seconds = time.perf_counter() - begin
    print(f"\nfrom a worker to this process: {size / 1e6 / seconds:.0f} MB/s")


def pool(paths: Sequence[str], choice: DecoderChoice, workers: int) -> None:
    """Print the time of the pool beside that of its workers' decoding."""
    windows = VideoWindows(length_seconds=1.0, hop_seconds=1.0, frames=2)
    task = DecodeTask(modality="visual", windows=windows, decoder=choice)
    clips = [ClipRef(video_id=str(number), path=path) for number, path in enumerate(paths)]
    begin = time.perf_counter()
    with DecodeAhead(
        clips, task, workers=workers, timeout_seconds=600, ahead_bytes=1 << 28
    ) as ahead:
        results = iter(ahead)
        next(results)
        started = time.perf_counter()
        for _ in results:
            pass
        seconds = time.perf_counter() - started
    decoding = ahead.statistics.decode_seconds * (len(clips) - 1) / len(clips) / workers
    print(
        f"pool of {workers}, 2 pictures a second: {1e3 * seconds / len(clips):.1f} ms a clip, ",
        end="",
    )
    print(f"{seconds / decoding:.2f} of the decoding alone; first clip {started - begin:.2f} s")


if __name__ == "__main__":
    main()
