"""Does torchcodec work here? ``python -m avzsl.decode.torchcodec_check cuda:0``.

``choice`` runs it in a process of its own, because FFmpeg's libraries must be on the loader's path
when a process starts. It prints why NVDEC cannot be used, or nothing; if torchcodec does not work
at all, it fails with one line.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import av
import numpy as np


def main(device: str) -> None:
    """Decode a tiny clip on ``device``."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            print(_decode(_write_clip(Path(folder) / "clip.mp4"), device))
    except OSError as problem:
        sys.exit(f"it needs a CUDA build of torch ({_first_line(problem)})")
    except (ImportError, RuntimeError) as problem:
        sys.exit(_first_line(problem))


def _write_clip(path: Path) -> Path:
    """Write one black picture, large enough for every NVDEC, and return ``path``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((256, 256, 3), np.uint8))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _decode(path: Path, device: str) -> str:
    """Decode the clip and return why the CPU did it instead of ``device``, if so."""
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, device=device)
    decoder.get_frame_at(0)
    return str(decoder.cpu_fallback) if decoder.cpu_fallback else ""


def _first_line(problem: Exception) -> str:
    return str(problem).strip().splitlines()[0]


if __name__ == "__main__":
    main(sys.argv[1])
