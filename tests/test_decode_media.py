"""Every real clip: what ffprobe says of it, what comes out, and which ones fail with a reason.

The table was made with ffprobe 5.1.9, for the stream that FFmpeg deems best:
``ffprobe -count_frames -show_entries stream=width,height,nb_read_frames,avg_frame_rate,duration,
sample_rate,channels:stream_side_data=rotation`` (for WebM and Matroska, which store no duration of
a stream, the format's). Width and height are swapped where the rotation is 90 degrees.
"""

import numpy as np
import pytest

from avzsl.decode import backend_pyav
from avzsl.decode.audio import read_audio
from avzsl.decode.choice import choose_decoder
from avzsl.decode.errors import DecodeError, NoStream
from avzsl.decode.probe import probe
from avzsl.decode.sampling import VideoWindows
from avzsl.decode.video import read_frames
from avzsl.decode.videofile import VideoFile

# width, height, rotation, frames, frames per second, seconds
VIDEO = {
    "activitynet/v_GGSY1Qvo990.mp4": (320, 240, 0, 355, 981 / 50, 18.043833),
    "odd/av1_video.mkv": (640, 360, 0, 125, 25, 5.0),
    "odd/h265_10bits.mp4": (200, 200, 0, 30, 30, 1.0),
    "odd/nasa_13013.mp4": (480, 270, 0, 390, 30000 / 1001, 13.013),
    "odd/nasa_13013_rotated.mp4": (270, 480, 90, 17, 30000 / 1001, 0.567233),
    "odd/test_non_zero_start.mp4": (200, 112, 0, 12, 30, 0.4),
    "odd/testsrc2_odd_height_and_width_vp9.mp4": (321, 241, 0, 25, 25, 1.0),
    "odd/testsrc2_vp9.webm": (1280, 720, 0, 30, 30, 1.0),
    "ucf_like/clip.avi": (320, 240, 0, 164, 25, 6.56),
    "vas/baby_video_01951.mp4": (298, 224, 0, 301, 30000 / 1001, 10.043367),
    "vas/dog_video_02677.mp4": (398, 224, 0, 180, 30000 / 1001, 6.006),
    "vas/drum_video_02480.mp4": (298, 224, 0, 251, 25, 10.04),
    "vas/fireworks_video_02997.mp4": (398, 224, 0, 300, 30000 / 1001, 10.01),
    "vggsound/-1pRmoJIGQc_000010.mp4": (1280, 720, 0, 300, 30, 10.0),
    "vggsound/-Qowmc0P9ic_000034.mp4": (640, 360, 0, 300, 30, 10.0),
    "vggsound/1aDnyPubxdY_000118.mp4": (320, 240, 0, 300, 30, 10.0),
    "vggsound/54bz5yqN2IA_000004.mp4": (480, 360, 0, 300, 30, 10.0),
    "vggsound/7tMPoaU2oL4_000000.mp4": (480, 360, 0, 300, 30, 10.0),
    "vggsound/D1NO38P8vqI_000284.mp4": (1280, 720, 0, 300, 30, 10.0),
}

# samples per second, channels, seconds
AUDIO = {
    "activitynet/v_GGSY1Qvo990.mp4": (44100, 1, 18.158005),
    "audio/dog.wav": (44100, 2, 2.610204),
    "odd/nasa_13013.mp4": (16000, 2, 13.056),
    "ucf_like/clip.avi": (44100, 2, 6.556735),
    "vas/baby_video_01951.mp4": (22050, 1, 10.031020),
    "vas/dog_video_02677.mp4": (44100, 2, 6.0),
    "vas/drum_video_02480.mp4": (22050, 1, 10.031020),
    "vas/fireworks_video_02997.mp4": (44100, 2, 10.030998),
    "vggsound/-1pRmoJIGQc_000010.mp4": (44100, 2, 10.0),
    "vggsound/-Qowmc0P9ic_000034.mp4": (44100, 2, 10.0),
    "vggsound/1aDnyPubxdY_000118.mp4": (44100, 1, 10.0),
    "vggsound/54bz5yqN2IA_000004.mp4": (44100, 2, 10.0),
    "vggsound/7tMPoaU2oL4_000000.mp4": (44100, 2, 10.0),
    "vggsound/D1NO38P8vqI_000284.mp4": (44100, 2, 10.0),
}

WHOLE_CLIP = VideoWindows(length_seconds=0.4, hop_seconds=0.4, frames=1, short="pad")
PYAV = choose_decoder("pyav", "cpu")


def test_the_table_names_every_clip(media):
    here = {str(path.relative_to(media)) for path in media.glob("*/*")}
    assert here == set(VIDEO) | set(AUDIO) | {"odd/corrupted.mp4"}


@pytest.mark.parametrize("name", sorted(set(VIDEO) | set(AUDIO)))
def test_probe_says_what_ffprobe_says(media, name):
    info = probe(str(media / name))
    assert (info.video is None) == (name not in VIDEO)
    assert (info.audio is None) == (name not in AUDIO)
    if info.video is not None:
        width, height, rotation, frames, fps, seconds = VIDEO[name]
        assert (info.video.width, info.video.height) == (width, height)
        assert info.video.rotation == rotation
        assert len(info.video.pts_seconds) == frames
        assert info.video.fps == pytest.approx(fps, rel=1e-3)
        # The header of the ActivityNet clip forgets its last frame.
        assert info.video.duration_seconds == pytest.approx(seconds, abs=1.01 / fps)
        assert info.video.pts_seconds[0] == 0
        assert (np.diff(info.video.pts_seconds) > 0).all()
    if info.audio is not None:
        rate, channels, seconds = AUDIO[name]
        assert (info.audio.sample_rate, info.audio.channels) == (rate, channels)
        assert info.audio.duration_seconds == pytest.approx(seconds, abs=1e-4)


@pytest.mark.parametrize("name", sorted(AUDIO))
def test_sound_has_the_length_that_ffprobe_says(media, name):
    rate, channels, seconds = AUDIO[name]
    sound = read_audio(str(media / name))
    assert (sound.sample_rate, len(sound.samples)) == (rate, channels)
    assert sound.duration_seconds == pytest.approx(seconds, abs=1.5 / rate)
    assert sound.samples.dtype == np.float32
    assert 0.01 < np.abs(sound.samples).max() < 2


@pytest.mark.parametrize("name", sorted(VIDEO))
def test_pictures_of_every_clip(media, name):
    width, height, _, _, _, seconds = VIDEO[name]
    frames = read_frames(str(media / name), WHOLE_CLIP, decoder=PYAV)
    assert frames.rgb.shape[1:] == (height, width, 3)
    assert len(frames.plan.spans) == pytest.approx(seconds // 0.4, abs=1)
    assert frames.rgb.std() > 5, "the pictures are not blank"


@pytest.mark.parametrize("name", ["odd/testsrc2_vp9.webm", "ucf_like/clip.avi"])
def test_sparse_frames_are_those_of_a_full_decode(media, name):
    with VideoFile(str(media / name)) as video:
        every = backend_pyav.read(video, np.arange(len(video.table.pts)))
        for seed in range(4):
            rng = np.random.default_rng(seed)
            some = np.sort(rng.choice(len(every), size=5, replace=False))
            np.testing.assert_array_equal(backend_pyav.read(video, some), every[some])


def test_the_corrupted_clip_fails_with_its_reason(media):
    path = str(media / "odd/corrupted.mp4")
    with pytest.raises(DecodeError, match=r"corrupted\.mp4.*[Ii]nvalid data"):
        read_frames(path, WHOLE_CLIP, decoder=PYAV)
    with pytest.raises(NoStream, match=r"corrupted\.mp4.*no sound"):
        read_audio(path)


def test_absent_streams_are_told_apart_from_damage(media):
    with pytest.raises(NoStream, match="no picture"):
        read_frames(str(media / "audio/dog.wav"), WHOLE_CLIP, decoder=PYAV)
    with pytest.raises(NoStream, match="no sound"):
        read_audio(str(media / "odd/av1_video.mkv"))
