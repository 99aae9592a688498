"""torchcodec and decord give, bit for bit, the pixels of PyAV."""

import os
import subprocess
import sys

import av
import numpy as np
import pytest
from decode_clips import remux, write_video

from avzsl.decode import backend_pyav
from avzsl.decode.ahead import DecodeAhead, DecodeTask
from avzsl.decode.choice import choose_decoder
from avzsl.decode.errors import DecodeError
from avzsl.decode.sampling import VideoWindows
from avzsl.decode.video import read_frames
from avzsl.decode.videofile import VideoFile
from avzsl.types import ClipRef

EVERY = ["a.mp4", "a.mkv", "hevc.mp4", "ten-bit.mp4", "odd.mp4", "turned.mp4", "edit.mp4"]
EVERY += ["late.mkv", "vfr.mkv", "a.avi"]
NOT_DECORD = {"ten-bit.mp4", "odd.mp4", "hevc.mp4", "edit.mp4", "late.mkv"}
"""decord's FFmpeg scales the colour of the first two in another way, and damages the third when it
seeks; it cannot count the frames of the others, and says so."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    quiet = {"codec": "libx265", "options": {"x265-params": "log-level=none"}}
    source = write_video(folder / "a.mp4")
    write_video(folder / "a.mkv", gop=12)
    write_video(folder / "hevc.mp4", **quiet)
    write_video(folder / "ten-bit.mp4", pix_fmt="yuv420p10le", **quiet)
    write_video(folder / "odd.mp4", codec="libvpx-vp9", size=(161, 97), options={"cpu-used": "8"})
    write_video(folder / "turned.mp4", rotation=90)
    remux(source, folder / "edit.mp4", shift_ticks=-13 * 512)
    remux(source, folder / "late.mkv", drop_packets=7)
    write_video(folder / "vfr.mkv", pts=np.cumsum(np.arange(60) % 7 * 10 + 20))
    write_video(folder / "a.avi", codec="mpeg4")
    return folder


WINDOWS = VideoWindows(length_seconds=0.6, hop_seconds=0.3, frames=4)
# Runs in a process that was started with FFmpeg's libraries on the loader's path.
COMPARE = """
import sys
from pathlib import Path
import numpy as np
from avzsl.decode.choice import DecoderChoice
from avzsl.decode.sampling import VideoWindows
from avzsl.decode.video import read_frames
device, tolerance, paths = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
windows = VideoWindows(length_seconds=0.6, hop_seconds=0.3, frames=4)
choices = DecoderChoice(name="pyav"), DecoderChoice(name="torchcodec", device=device)
for path in paths:
    one, other = (read_frames(path, windows, decoder=c).rgb.astype(int) for c in choices)
    np.testing.assert_allclose(one, other, rtol=0, atol=tolerance, err_msg=path)
loaded = Path("/proc/self/maps").read_text().splitlines()
print(*sorted({line.split()[-1] for line in loaded if "libavcodec" in line}))
"""


def compare(paths, *, device, tolerance, library_path):
    """Compare torchcodec with PyAV; return the files of FFmpeg's codecs that the process loaded."""
    done = subprocess.run(
        [sys.executable, "-c", COMPARE, device, str(tolerance), *map(str, paths)],
        env={**os.environ, **({"LD_LIBRARY_PATH": library_path} if library_path else {})},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_torchcodec_equals_pyav_and_uses_its_ffmpeg(folder):
    try:
        choice = choose_decoder("torchcodec", "cpu")
    except ValueError as error:
        pytest.skip(str(error))
    paths = [folder / name for name in EVERY]
    loaded = compare(paths, device="cpu", tolerance=0, library_path=choice.library_path)
    if choice.library_path:
        assert len(loaded) == 1, "PyAV and torchcodec share one FFmpeg"
        assert "av.libs" in loaded[0]


def test_workers_find_ffmpeg_for_torchcodec(folder):
    try:
        choice = choose_decoder("torchcodec", "cpu")
    except ValueError as error:
        pytest.skip(str(error))
    clips = [ClipRef(video_id=name, path=str(folder / name)) for name in ("a.mp4", "a.avi")]
    rgb = {}
    for decoder in (choice, choose_decoder("pyav", "cpu")):
        task = DecodeTask(modality="visual", windows=WINDOWS, decoder=decoder)
        with DecodeAhead(clips, task, workers=1, timeout_seconds=60, ahead_bytes=0) as ahead:
            rgb[decoder.name] = [decoded.payload.rgb for decoded in ahead]
    for one, other in zip(rgb["torchcodec"], rgb["pyav"], strict=True):
        np.testing.assert_array_equal(one, other)


def test_decord_equals_pyav_where_it_can(folder):
    try:
        choice = choose_decoder("decord", "cpu")
    except ValueError as error:
        pytest.skip(str(error))
    for name in EVERY:
        if name in NOT_DECORD:
            continue
        pair = [
            read_frames(str(folder / name), WINDOWS, decoder=decoder).rgb
            for decoder in (choose_decoder("pyav", "cpu"), choice)
        ]
        np.testing.assert_array_equal(*pair, err_msg=name)
    for name in ("edit.mp4", "late.mkv"):
        with pytest.raises(DecodeError, match="decord counts"):
            read_frames(str(folder / name), WINDOWS, decoder=choice)


def test_pyav_converts_as_the_ffmpeg_command_does(folder):
    """The reference is FFmpeg's own filter graph, built by hand; ``reformat`` would differ here."""
    with VideoFile(str(folder / "ten-bit.mp4")) as video, av.open(video.path) as container:
        ours = backend_pyav.read(video, np.array([5]))[0]
        frame = list(container.decode(video=0))[5]
        graph = av.filter.Graph()
        source = graph.add_buffer(template=container.streams.video[0])
        sink = graph.add("buffersink")
        graph.link_nodes(source, graph.add("format", "rgb24"), sink).configure()
        graph.push(frame)
        np.testing.assert_array_equal(ours, graph.pull().to_ndarray())


@pytest.mark.needs_cuda
def test_nvdec_shows_the_same_frames(folder):
    """Its colour conversion differs by a few levels, so frames are told apart by their number."""
    choice = choose_decoder("torchcodec", "cuda")
    assert choice.device == "cuda", choice.reason
    paths = [folder / name for name in ("a.mp4", "hevc.mp4", "turned.mp4")]
    compare(paths, device="cuda", tolerance=12, library_path=choice.library_path)
