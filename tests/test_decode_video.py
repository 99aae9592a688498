"""Pictures that tell their own number: the right one comes out of every kind of file."""

import numpy as np
import pytest
from decode_clips import (
    SIZE,
    cut_off,
    number_of,
    numbers_of,
    picture,
    remux,
    sine,
    write_video,
    write_wav,
)

from avzsl.decode import backend_pyav, videofile
from avzsl.decode.choice import choose_decoder
from avzsl.decode.errors import DecodeError, NoStream, TooShort
from avzsl.decode.sampling import VideoWindows
from avzsl.decode.video import read_frames
from avzsl.decode.videofile import VideoFile

PYAV = choose_decoder("pyav", "cpu")
QUIET_265 = {"x265-params": "log-level=none"}
FAST_VP9 = {"cpu-used": "8", "deadline": "realtime"}

KINDS = {
    "h264.mp4": {},
    "h264.mkv": {},
    "h264.ts": {},
    "h264-open.mp4": {"options": {"x264-params": "open-gop=1:scenecut=0"}},
    "hevc.mp4": {"codec": "libx265", "options": QUIET_265},
    "hevc-10bit.mp4": {"codec": "libx265", "options": QUIET_265, "pix_fmt": "yuv420p10le"},
    "vp9.webm": {"codec": "libvpx-vp9", "options": FAST_VP9},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mpeg4-sound.avi": {"codec": "mpeg4", "sound": sine(2.4, channels=2)},
    "h264.avi": {},
    "mpeg2.mpg": {"codec": "mpeg2video"},
    "odd-size.mp4": {"codec": "libvpx-vp9", "options": FAST_VP9, "size": (161, 97)},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("videos")


def make(folder, name):
    path = folder / name
    return path if path.exists() else write_video(path, **KINDS[name])


@pytest.mark.parametrize("name", KINDS)
def test_each_frame_is_the_right_one(folder, name):
    with VideoFile(str(make(folder, name))) as video:
        assert len(video.info.pts_seconds) == 60
        np.testing.assert_allclose(video.info.pts_seconds, np.arange(60) / 25, atol=1e-3)
        assert video.info.duration_seconds == pytest.approx(2.4, abs=2e-3)
        assert video.info.fps == pytest.approx(25, rel=1e-3)
        assert numbers_of(backend_pyav.read(video, np.arange(60))) == list(range(60))


@pytest.mark.parametrize("name", KINDS)
def test_any_choice_of_frames_equals_the_full_decode(folder, name):
    """Bit for bit, although packets that the choice does not need are passed over."""
    with VideoFile(str(make(folder, name))) as video:
        every = backend_pyav.read(video, np.arange(60))
        rng = np.random.default_rng(0)
        for count in (1, 1, 1, 2, 3, 5, 12):
            some = np.sort(rng.choice(60, size=count, replace=False))
            np.testing.assert_array_equal(backend_pyav.read(video, some), every[some])


def test_packets_that_are_not_needed_are_not_decoded(folder, monkeypatch):
    """Keyframes every 20 frames: the last frame needs no packet of the first 40."""
    path = write_video(folder / "gop.mp4", b_frames=0, options={"x264-params": "scenecut=0"})
    fed = []

    class Spy:
        def __init__(self, context):
            self.context = context

        def decode(self, packet):
            fed.append(packet)
            return self.context.decode(packet)

        def flush_buffers(self):
            self.context.flush_buffers()

    with VideoFile(str(path)) as video:
        real = type(video).context.fget
        monkeypatch.setattr(type(video), "context", property(lambda self: Spy(real(self))))
        assert number_of(backend_pyav.read(video, np.array([45]))[0]) == 45
    assert len([packet for packet in fed if packet is not None]) == 6


def test_a_keyframe_that_promises_more_than_it_holds(tmp_path):
    """With intra refresh a picture is whole only some frames after the one that is marked."""
    options = {"x264-params": "intra-refresh=1:keyint=20"}
    with VideoFile(
        str(write_video(tmp_path / "refresh.mp4", b_frames=0, options=options))
    ) as video:
        assert len(np.unique(video.table.start)) > 1
        every = backend_pyav.read(video, np.arange(60))
        assert numbers_of(every) == list(range(60))
        for index in range(20, 60, 3):
            one = backend_pyav.read(video, np.array([index]))
            np.testing.assert_array_equal(one[0], every[index])


def test_files_too_large_to_keep_are_read_twice(folder, monkeypatch):
    path = make(folder, "h264.mp4")
    monkeypatch.setattr(videofile, "KEEP_BYTES", 1000)
    with VideoFile(str(path)) as video:
        assert numbers_of(backend_pyav.read(video, np.array([3, 30, 59]))) == [3, 30, 59]


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_pictures_stand_upright(tmp_path, degrees, turns):
    path = write_video(tmp_path / "turned.mp4", rotation=degrees, frames=4)
    frames = read_frames(str(path), windows(0.16, 4), decoder=PYAV)
    assert frames.info.rotation == degrees % 360
    width, height = SIZE if turns == 2 else SIZE[::-1]
    assert (frames.info.width, frames.info.height) == (width, height)
    expected = np.rot90(picture(2), turns).astype(int)
    assert np.abs(frames.rgb[2] - expected).mean() < 6


def test_a_variable_frame_rate(tmp_path):
    """Each picture is the one on display at its time, by a loop over all of them."""
    times = np.concatenate([[0], np.cumsum(np.random.default_rng(0).integers(20, 90, size=59))])
    path = write_video(tmp_path / "vfr.mkv", pts=times)
    frames = read_frames(str(path), windows(1.0, 25), decoder=PYAV)
    np.testing.assert_allclose(frames.info.pts_seconds, times / 1000)
    shown = numbers_of(frames.rgb[frames.plan.rows.ravel()])
    middles = [begin + (slot + 0.5) / 25 for begin in range(len(shown) // 25) for slot in range(25)]
    expected = [max(i for i, t in enumerate(times) if t / 1000 < middle) for middle in middles]
    assert shown == expected


def test_a_segment_counts_from_its_start(folder):
    path = make(folder, "h264.mp4")
    frames = read_frames(
        str(path), windows(0.4, 2), decoder=PYAV, start_seconds=0.8, end_seconds=1.7
    )
    assert frames.plan.spans.tolist() == [[0, 0.4], [0.4, 0.8]]
    # Middles of the slots: 0.9, 1.1, 1.3 and 1.5 s.
    assert numbers_of(frames.rgb[frames.plan.rows.ravel()]) == [22, 27, 32, 37]


def test_windows_that_overlap_share_their_frames(folder):
    plan_windows = VideoWindows(length_seconds=0.8, hop_seconds=0.08, frames=20)
    frames = read_frames(str(make(folder, "h264.mp4")), plan_windows, decoder=PYAV)
    assert frames.plan.rows.shape == (21, 20)
    assert len(frames.rgb) == 60, "each picture is decoded once"
    assert numbers_of(frames.rgb[frames.plan.rows[3]]) == list(range(6, 26))


def test_an_edit_list_hides_the_frames_before_it(folder):
    """MP4 cut at 0.52 s without encoding anew: 13 frames are in the file, but not to be shown."""
    path = remux(make(folder, "h264.mp4"), folder / "edit.mp4", shift_ticks=-13 * 512)
    with VideoFile(str(path)) as video:
        shown = numbers_of(backend_pyav.read(video, np.arange(len(video.table.pts))))
        assert shown == list(range(13, 60))
        assert video.info.pts_seconds[0] == 0


@pytest.mark.parametrize("name", ["h264.mp4", "h264-open.mp4", "hevc.mp4"])
def test_frames_that_lack_their_keyframe_are_left_out(folder, name):
    path = remux(make(folder, name), folder / f"late-{name}.mkv", drop_packets=7)
    with VideoFile(str(path)) as video:
        shown = numbers_of(backend_pyav.read(video, np.arange(len(video.table.pts))))
        assert shown == list(range(60 - len(shown), 60))
        assert len(shown) >= 36
        assert video.table.skipped + len(shown) == 53
        assert video.info.pts_seconds[0] == 0


def test_a_start_other_than_zero_changes_nothing(folder):
    path = remux(make(folder, "h264.mp4"), folder / "later.mkv", shift_ticks=100 * 512)
    frames = read_frames(str(path), windows(2.4, 60), decoder=PYAV)
    assert numbers_of(frames.rgb) == list(range(60))


def test_a_cover_picture_is_no_video(tmp_path):
    import av

    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libmp3lame", rate=16000, layout="mono")
        cover = container.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(picture(1, (64, 64)))
        container.mux(cover.encode(frame.reformat(format="yuvj420p")))
        tone = av.AudioFrame.from_ndarray(sine(0.5)[:, :1152], format="fltp", layout="mono")
        tone.sample_rate = 16000
        container.mux(sound.encode(tone))
        container.mux(sound.encode(None))
    with pytest.raises(NoStream, match="cover picture"):
        VideoFile(str(path))


def windows(length, frames):
    return VideoWindows(length_seconds=length, hop_seconds=length, frames=frames)


def test_bad_files_fail_with_one_line_that_names_them(folder, tmp_path):
    whole = make(folder, "h264.mp4")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "page.mp4").write_text("<html><title>404</title></html>" * 50)
    cut_off(whole, tmp_path / "no-index.mp4", 0.5)
    data = bytearray(whole.read_bytes())
    data[2000:2400] = bytes(400)
    (tmp_path / "zeros.mp4").write_bytes(data)
    for name in ("empty.mp4", "page.mp4", "no-index.mp4", "zeros.mp4"):
        with pytest.raises(DecodeError, match=name) as caught:
            read_frames(str(tmp_path / name), windows(0.4, 10), decoder=PYAV)
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r"nothing\.mp4"):
        read_frames(str(tmp_path / "nothing.mp4"), windows(0.4, 1), decoder=PYAV)
    with pytest.raises(DecodeError, match="directory"):
        read_frames(str(tmp_path), windows(0.4, 1), decoder=PYAV)
    wav = write_wav(tmp_path / "sound.wav", sine(0.5))
    with pytest.raises(NoStream, match=r"sound\.wav.*no picture"):
        read_frames(str(wav), windows(0.4, 1), decoder=PYAV)


def test_a_playlist_fetches_nothing(tmp_path):
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(DecodeError, match=r"list\.mp4"):
        VideoFile(str(path))


def test_a_clip_shorter_than_a_window(folder):
    path = str(make(folder, "h264.mp4"))
    with pytest.raises(TooShort, match=r"2\.40 s of video.*5 s"):
        read_frames(path, windows(5.0, 4), decoder=PYAV)
    with pytest.raises(TooShort, match=r"0\.00 s of video"):
        read_frames(path, windows(0.4, 4), decoder=PYAV, start_seconds=7.0, end_seconds=8.0)


@pytest.mark.parametrize(
    "name", ["-starts-with-dash.mp4", "a:b.mp4", "50%_ä,(x) 'y'.mp4", "%03d.mp4"]
)
def test_any_file_name(folder, tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes(make(folder, "h264.mp4").read_bytes())
    monkeypatch.chdir(tmp_path)
    assert len(read_frames(name, windows(2.4, 3), decoder=PYAV).rgb) == 3
