"""Lost tails are counted to the byte, whatever the container."""

import pytest
from decode_clips import cut_off, remux, sine, write_video, write_wav

from avzsl.decode.audio import read_audio
from avzsl.decode.errors import DecodeError
from avzsl.decode.truncation import missing_bytes
from avzsl.decode.videofile import VideoFile


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    # The index in front, as for the web; an MP4 that has it at the end and loses it does not open.
    front = {"movflags": "faststart"}
    mp4 = write_video(folder / "a.mp4", sound=sine(2.4), container_options=front)
    return {
        "mp4": mp4,
        "mkv": remux(mp4, folder / "a.mkv"),
        "webm": write_video(
            folder / "a.webm", codec="libvpx-vp9", frames=20, options={"cpu-used": "8"}
        ),
        "avi": write_video(folder / "a.avi", codec="mpeg4", sound=sine(2.4)),
        "wav": write_wav(folder / "a.wav", sine(1.0)),
    }


KINDS = ["mp4", "mkv", "webm", "avi", "wav"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_lacks_nothing(files, kind):
    assert missing_bytes(files[kind]) == 0


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
@pytest.mark.parametrize("kind", KINDS)
def test_missing_bytes_are_counted(files, kind, share, tmp_path):
    size = files[kind].stat().st_size
    cut = cut_off(files[kind], tmp_path / f"cut.{kind}", share)
    lost = size - cut.stat().st_size
    # A RIFF file may count the 8 bytes of its head or not, so as many are forgiven.
    slack = 8 if kind in ("avi", "wav") else 0
    assert missing_bytes(cut) == lost - slack


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"no media file at all, but long enough to look like one",
        b"RIFF\xff\xff\xff\xffWAVEdata",
        b"RIFF\0\0\0\0AVI LIST",
        b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\0mdat",
        b"\x1a\x45\xdf\xa3",
        b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff",
        b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff",
    ],
    ids=str,
)
def test_files_that_tell_no_size_count_as_whole(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert missing_bytes(path) == 0


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm", "avi"])
def test_a_truncated_video_fails_unless_the_clip_lies_before_the_cut(files, kind, tmp_path):
    cut = cut_off(files[kind], tmp_path / f"cut.{kind}", 0.6)
    with VideoFile(str(cut)) as video:
        assert video.truncated
        have = video.info.duration_seconds
        video.require(have)
        with pytest.raises(DecodeError, match="truncated"):
            video.require(None)
        with pytest.raises(DecodeError, match="truncated"):
            video.require(have + 0.1)


@pytest.mark.parametrize("kind", ["mp4", "avi", "wav"])
def test_a_truncated_sound_fails_unless_the_clip_lies_before_the_cut(files, kind, tmp_path):
    cut = cut_off(files[kind], tmp_path / f"cut.{kind}", 0.6)
    with pytest.raises(DecodeError, match="truncated"):
        read_audio(str(cut))
    assert read_audio(str(cut), end_seconds=0.2).duration_seconds == 0.2


def test_a_file_that_lost_only_its_index_is_still_good(tmp_path):
    """AVI keeps an index behind the data, and says in front of them how many pictures there are."""
    whole = write_video(tmp_path / "whole.avi", codec="mpeg4")
    cut = cut_off(whole, tmp_path / "cut.avi", 0.97)
    assert missing_bytes(cut) > 0
    with VideoFile(str(cut)) as video:
        assert not video.truncated
        assert len(video.info.pts_seconds) == 60
