"""Sound: exact stretches, every layout of samples, and what damage does."""

import av
import numpy as np
import pytest
from decode_clips import SOUND_RATE, cut_off, sine, write_video, write_wav

from avzsl.decode.audio import read_audio
from avzsl.decode.errors import DecodeError, NoStream
from avzsl.decode.probe import probe

STRETCHES = [(0.0, None), (0.25, 0.75), (0.123, 0.4567), (1.0, None), (0.0, 0.5), (1.9, 9.0)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    sound = sine(2.0, channels=2)
    vp9 = {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}}
    return {
        "wav": write_wav(folder / "a.wav", sound),
        "mp4": write_video(folder / "a.mp4", frames=50, sound=sound),
        "avi": write_video(folder / "a.avi", frames=50, codec="mpeg4", sound=sound),
        "mkv": write_video(folder / "a.mkv", frames=50, sound=sound),
        "webm": write_video(folder / "a.webm", frames=10, sound=sound, **vp9),
    }


KINDS = ["wav", "mp4", "avi", "mkv", "webm"]


def resampled(samples, rate):
    """Compare at 16 kHz: Opus decodes to 48 kHz, so every third sample will do for a low tone."""
    return samples[:, :: rate // SOUND_RATE]


@pytest.mark.parametrize("kind", KINDS)
def test_the_tone_comes_back(files, kind):
    """AAC, MP3 and Opus by its strength and pitch, FLAC and PCM sample by sample."""
    waveform = read_audio(str(files[kind]))
    assert waveform.samples.shape[0] == 2
    assert waveform.duration_seconds == pytest.approx(2.0, abs=0.1)
    middle = resampled(waveform.samples, waveform.sample_rate)[:, 8000:24000]
    level = np.sqrt((middle**2).mean(axis=1))
    np.testing.assert_allclose(level, [0.2 / np.sqrt(2), 0.4 / np.sqrt(2)], rtol=0.05)
    peak = np.abs(np.fft.rfft(middle)).argmax(axis=1)
    assert peak.tolist() == [440, 440]
    if kind in ("wav", "mkv"):
        expected = sine(2.0, channels=2)
        np.testing.assert_allclose(waveform.samples, expected, atol=1 / 32768)


@pytest.mark.parametrize(("start", "end"), STRETCHES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_stretch_is_that_part_of_the_whole(files, kind, start, end):
    whole = read_audio(str(files[kind]))
    part = read_audio(str(files[kind]), start_seconds=start, end_seconds=end)
    rate = whole.sample_rate
    last = None if end is None else round(end * rate)
    np.testing.assert_array_equal(part.samples, whole.samples[:, round(start * rate) : last])
    assert part.samples.flags.c_contiguous


def test_a_stretch_behind_the_end_is_empty(files):
    assert read_audio(str(files["mp4"]), start_seconds=5.0).samples.shape == (2, 0)


@pytest.mark.parametrize(
    ("codec", "atol"),
    [
        ("pcm_u8", 1 / 127),
        ("pcm_s16le", 1e-4),
        ("pcm_s24le", 1e-6),
        ("pcm_s32le", 1e-6),
        ("pcm_f32le", 1e-7),
        ("pcm_f64le", 1e-7),
    ],
)
def test_every_kind_of_sample_is_scaled_to_one(tmp_path, codec, atol):
    path = tmp_path / "a.wav"
    sound = 4 * sine(0.1)  # up to 0.8 of full scale
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=SOUND_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
        frame.sample_rate = SOUND_RATE
        for ready in av.AudioResampler(stream.codec_context.format, "mono").resample(frame):
            container.mux(stream.encode(ready))
        container.mux(stream.encode(None))
    np.testing.assert_allclose(read_audio(str(path)).samples, sound, atol=atol)


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le", "flac"])
@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1", "7.1"])
def test_every_number_of_channels(tmp_path, codec, layout):
    path = tmp_path / "a.mkv"
    channels = av.AudioLayout(layout).nb_channels
    sound = np.concatenate([sine(0.512, hertz=200.0 * (c + 1)) for c in range(channels)])
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=SOUND_RATE, layout=layout)
        resampler = av.AudioResampler(stream.codec_context.format, layout, SOUND_RATE)
        for begin in range(0, sound.shape[1], 1024):
            # Interleaved, for PyAV cannot make planar frames of eight channels.
            part = sound[:, begin : begin + 1024].T.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(part, format="flt", layout=layout)
            frame.sample_rate, frame.pts = SOUND_RATE, begin
            for ready in resampler.resample(frame):
                container.mux(stream.encode(ready))
        container.mux(stream.encode(None))
    samples = read_audio(str(path)).samples
    assert samples.shape[0] == channels
    if codec != "aac":
        np.testing.assert_allclose(samples, sound, atol=1e-4)
    elif channels < 6:  # the bass channel of AAC keeps no tones
        peak = np.abs(np.fft.rfft(samples[:, 2048:6048])).argmax(axis=1) * SOUND_RATE / 4000
        np.testing.assert_allclose(peak, 200.0 * np.arange(1, channels + 1), atol=8)


def test_the_encoders_padding_is_taken_off(files):
    """AAC codes frames of 1024 samples: 32000 samples fill 31.25 of them."""
    info = probe(str(files["mp4"])).audio
    waveform = read_audio(str(files["mp4"]))
    assert waveform.samples.shape[1] == round(info.duration_seconds * info.sample_rate) == 32000


def test_absences_and_damage(files, tmp_path):
    silent = write_video(tmp_path / "silent.mp4", frames=5)
    with pytest.raises(NoStream, match=r"silent\.mp4.*no sound"):
        read_audio(str(silent))
    with pytest.raises(FileNotFoundError, match=r"nothing\.wav"):
        read_audio(str(tmp_path / "nothing.wav"))
    with pytest.raises(DecodeError, match=r"cut\.wav.*cannot open|cut\.wav.*no sound"):
        read_audio(str(cut_off(files["wav"], tmp_path / "cut.wav", 0.0001)))
    data = bytearray(files["mkv"].read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    (tmp_path / "zeros.mkv").write_bytes(data)
    with pytest.raises(DecodeError, match=r"zeros\.mkv") as caught:
        read_audio(str(tmp_path / "zeros.mkv"))
    assert "\n" not in str(caught.value)


def test_a_stream_that_begins_within_a_frame_is_decoded(files, tmp_path):
    """MP3 in an AVI that was cut by bytes: what comes before the first whole frame is lost."""
    whole = read_audio(str(files["avi"]))
    path = tmp_path / "cut.mp3"
    with av.open(str(files["avi"])) as container:
        packets = [bytes(p) for p in container.demux(audio=0) if p.size]
    path.write_bytes(b"".join(packets)[100:])
    part = read_audio(str(path))
    assert 0.8 < part.duration_seconds / whole.duration_seconds <= 1
