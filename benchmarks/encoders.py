"""What each encoder costs: windows a second, arithmetic reached, and where the time goes.

    python benchmarks/encoders.py                                   all encoders, this machine
    python benchmarks/encoders.py imagebind-vision --clips 4
    python benchmarks/encoders.py --device cuda --options '{"precision": "bfloat16"}'

Networks have the published sizes and random weights, which cost what trained ones do. Each
encoder takes the same made-up clip of 10 s several times, one stage after the other: decoding on
one core, preprocessing and encoding on the device. "of peak" is the arithmetic inside ``encode``
over that of a large matrix product of the same precision, measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from avzsl.decode.audio import read_audio
from avzsl.decode.choice import choose_decoder
from avzsl.decode.video import read_frames
from avzsl.device import choose_device
from avzsl.encoders import AudioEncoder, TextEncoder, VisualEncoder, encoders
from avzsl.encoders.about import gflop
from avzsl.encoders.pretrained import Pretrained

SECONDS = 10
RATE = 44_100


@dataclass(frozen=True, kw_only=True)
class Result:
    """Seconds of each stage for one clip, and what the network did meanwhile."""

    windows: int
    decode: float
    preprocess: float
    encode: float
    gflop: float


def main() -> None:
    args = parse()
    device, reason = choose_device(args.device)
    torch.set_num_threads(args.threads)
    peaks = {name: matrix_rate(device, name) for name in ("float32", "bfloat16")}
    shown = ", ".join(f"{name} {rate / 1e3:.2f} TFLOP/s" for name, rate in peaks.items())
    print(f"{device} ({reason}), {args.threads} threads; matrix product: {shown}")
    print(
        "encoder               windows  windows/s  GFLOP/clip  GFLOP/s  of peak   s/clip"
        "  decode  prepare  encode"
    )
    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(Path(folder) / "clip.mp4", args.size)
        for name in args.encoders or windowed_kinds():
            values = options_for(name, args.options)
            result = measure(name, values, clip, device, clips=args.clips)
            peak = peaks[values.get("precision", "float32")]
            print(line(name, result, peak), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("encoders", nargs="*", help="default: all of sound and pictures")
    parser.add_argument("--clips", type=int, default=3, help="after one to warm up (default: 3)")
    parser.add_argument("--size", default="320x240", help="of the pictures (default: 320x240)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: auto)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--options", type=json.loads, default={}, metavar="JSON")
    return parser.parse_args()


def windowed_kinds() -> list[str]:
    kinds = [encoders.get(name) for name in encoders.names()]
    kinds.sort(key=lambda cls: (cls.modality, cls.kind))
    return [cls.kind for cls in kinds if not issubclass(cls, TextEncoder)]


def options_for(name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return random weights and those of the wanted options that the encoder has."""
    cls = encoders.get(name)
    known = {field.name for field in fields(cls.Options)}
    weights = {"weights": "random"} if issubclass(cls, Pretrained) else {}
    return weights | {key: value for key, value in wanted.items() if key in known}


def line(name: str, result: Result, peak: float) -> str:
    whole = result.decode + result.preprocess + result.encode
    rate = result.gflop / result.encode
    work = f"{result.gflop:10.1f}  {rate:7.1f}  {rate / peak:6.1%}" if result.gflop else " " * 27
    shares = [result.decode / whole, result.preprocess / whole, result.encode / whole]
    return (
        f"{name:20}  {result.windows:7}  {result.windows / result.encode:9.1f}  {work}  "
        f"{whole:7.3f}  " + "  ".join(f"{share:6.0%}" for share in shares)
    )


def measure(
    name: str, values: dict[str, Any], clip: Path, device: torch.device, *, clips: int
) -> Result:
    """Run one encoder over the clip, stage by stage."""
    cls = encoders.get(name)
    operations = gflop(cls.from_dict(values)) or 0.0
    encoder = cls.from_dict(values)
    encoder.load(device)
    timings = []
    with torch.inference_mode():
        for _ in range(clips + 1):
            decoded, decode = timed(device, decode_clip, encoder, clip)
            windows, preprocess = timed(device, encoder.preprocess, *decoded)
            vectors, encode = timed(device, encoder.encode, windows)
            timings.append((decode, preprocess, encode))
    medians = np.median(np.array(timings[1:]), axis=0).tolist()
    return Result(
        windows=len(vectors),
        gflop=operations,
        **dict(zip(("decode", "preprocess", "encode"), medians, strict=True)),
    )


def timed(device: torch.device, work: Callable[..., Any], *args: Any) -> tuple[Any, float]:
    started = time.perf_counter()
    result = work(*args)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return result, time.perf_counter() - started


def decode_clip(encoder: Any, clip: Path) -> tuple[Any, ...]:
    """Return what ``preprocess`` takes."""
    if isinstance(encoder, AudioEncoder):
        waveform = read_audio(str(clip))
        return waveform, encoder.windows.spans(waveform.duration_seconds)
    assert isinstance(encoder, VisualEncoder)
    return (read_frames(str(clip), encoder.windows, decoder=choose_decoder("auto", "cpu")),)


def matrix_rate(device: torch.device, precision: str) -> float:
    """Return the arithmetic of a large matrix product in GFLOP/s."""
    size = 8192 if device.type == "cuda" else 2048
    left = torch.randn(size, size, device=device, dtype=getattr(torch, precision))
    seconds = [timed(device, torch.matmul, left, left)[1] for _ in range(20)]
    return 2 * size**3 / min(seconds) / 1e9


def make_clip(path: Path, size: str) -> Path:
    """Write 10 s of drifting patterns and noise, H.264 at 25 frames a second with AAC sound."""
    width, height = map(int, size.split("x"))
    rng = np.random.default_rng(0)
    grain = rng.integers(0, 60, (height, width, 3), np.uint8)
    across = np.linspace(0, 8 * np.pi, width)[None, :, None]
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = file.add_stream("aac", rate=RATE, layout="mono")
        for number in range(25 * SECONDS):
            wave = 90 + 80 * np.sin(across + number / 6 + np.arange(3) * 2)
            picture = (wave + np.roll(grain, 3 * number, axis=1)).clip(0, 255).astype(np.uint8)
            picture = np.ascontiguousarray(np.broadcast_to(picture, (height, width, 3)))
            for packet in video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                file.mux(packet)
        sound = (0.1 * rng.standard_normal((1, RATE * SECONDS))).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
        frame.rate = RATE
        for stream, frames in ((audio, [frame, None]), (video, [None])):
            for item in frames:
                for packet in stream.encode(item):
                    file.mux(packet)
    return path


if __name__ == "__main__":
    main()
