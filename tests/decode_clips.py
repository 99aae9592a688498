"""Small videos whose pictures tell their own number, for the tests of decoding."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 8
SIZE = (160, 96)
"""Width and height of the pictures."""


def picture(number, size=SIZE):
    """A grey picture whose eight upright bars are the bits of ``number``, lowest bit at the left.

    The top quarter is white, so that rotation shows.
    """
    width, height = size
    bars = np.array([215 if number >> bit & 1 else 40 for bit in range(BITS)], np.uint8)
    row = bars[np.arange(width) * BITS // width]
    rgb = np.repeat(np.repeat(row[None, :, None], height, 0), 3, 2)
    rgb[: height // 4] = 235
    return rgb


def number_of(rgb):
    """Read the number of an upright picture."""
    height, width = rgb.shape[:2]
    columns = (np.arange(BITS) * 2 + 1) * width // (2 * BITS)
    grey = rgb[height // 2 : height - 4, columns].mean(axis=(0, 2))
    return int(((grey > 128) << np.arange(BITS)).sum())


def numbers_of(rgb_FHW3):
    """Read the numbers of several pictures."""
    return [number_of(rgb) for rgb in rgb_FHW3]


def write_video(
    path,
    *,
    frames=60,
    rate=25,
    codec="libx264",
    size=SIZE,
    gop=20,
    b_frames=2,
    pts=None,
    rotation=0,
    sound=None,
    pix_fmt="yuv420p",
    options=None,
    container_options=None,
):
    """Write a video and return its path.

    Args:
        path: Its suffix chooses the container.
        frames: Number of pictures, at most 256 for their numbers to be told apart.
        rate: Frames per second.
        codec: FFmpeg's name of the encoder.
        size: Width and height of the stored pictures.
        gop: Pictures from one keyframe to the next.
        b_frames: Pictures between two that others build upon.
        pts: Time of each picture in milliseconds; None means a constant rate.
        rotation: Degrees counter-clockwise by which players turn the pictures.
        sound: [C, S] samples at 16 kHz, or None for no sound track.
        pix_fmt: FFmpeg's name of the pixel format.
        options: Further options of the encoder.
        container_options: Options of the container.
    """
    with av.open(str(path), "w", options=container_options or {}) as container:
        video = container.add_stream(codec, rate=rate, options=options or {})
        video.width, video.height, video.pix_fmt = *size, pix_fmt
        video.gop_size, video.max_b_frames = gop, b_frames
        if pts is not None:
            video.codec_context.time_base = Fraction(1, 1000)
        audio = None if sound is None else add_sound(container, path, sound)
        if rotation:
            video.set_display_rotation(rotation)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number, size))
            frame.pts = number if pts is None else int(pts[number])
            frame.time_base = Fraction(1, 1000) if pts is not None else 1 / Fraction(rate)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            write_sound(container, audio, sound)
    return Path(path)


SOUND_CODECS = {".mp4": "aac", ".avi": "libmp3lame", ".webm": "libopus", ".mkv": "flac"}
SOUND_RATE = 16000


def add_sound(container, path, sound):
    """Add a sound track whose codec fits the container."""
    codec = SOUND_CODECS.get(Path(path).suffix, "pcm_s16le")
    layout = {1: "mono", 2: "stereo"}[len(sound)]
    return container.add_stream(codec, rate=SOUND_RATE, layout=layout)


def write_sound(container, stream, sound):
    """Encode [C, S] samples at 16 kHz."""
    resampler = av.AudioResampler(stream.codec_context.format, stream.layout, SOUND_RATE)
    layout = {1: "mono", 2: "stereo"}[len(sound)]
    for begin in range(0, sound.shape[1], 960):
        part = np.ascontiguousarray(sound[:, begin : begin + 960], np.float32)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, begin, Fraction(1, SOUND_RATE)
        for ready in resampler.resample(frame):
            container.mux(stream.encode(ready))
    container.mux(stream.encode(None))


def sine(seconds, *, hertz=440.0, channels=1):
    """[C, S] a tone at 16 kHz; channel c is louder by a factor of c + 1."""
    times = np.arange(round(seconds * SOUND_RATE)) / SOUND_RATE
    tone = 0.2 * np.sin(2 * np.pi * hertz * times)
    return np.stack([tone * (channel + 1) for channel in range(channels)]).astype(np.float32)


def write_wav(path, sound):
    """Write [C, S] samples at 16 kHz as 16-bit WAV."""
    with av.open(str(path), "w") as container:
        layout = {1: "mono", 2: "stereo"}[len(sound)]
        stream = container.add_stream("pcm_s16le", rate=SOUND_RATE, layout=layout)
        write_sound(container, stream, sound)
    return Path(path)


def remux(source, target, *, drop_packets=0, shift_ticks=0):
    """Copy the pictures of ``source`` without encoding them anew.

    Args:
        source: The video to copy.
        target: Its suffix chooses the container.
        drop_packets: Leave out as many packets at the begin.
        shift_ticks: Add this to all times; MP4 hides what lands before 0 with an edit list.
    """
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        stream = reader.streams.video[0]
        copy = writer.add_stream_from_template(stream)
        for number, packet in enumerate(reader.demux(stream)):
            if packet.dts is None or number < drop_packets:
                continue
            packet.pts += shift_ticks
            packet.dts += shift_ticks
            packet.stream = copy
            writer.mux(packet)
    return Path(target)


def cut_off(source, target, share):
    """Copy the first ``share`` of the bytes of a file."""
    data = Path(source).read_bytes()
    Path(target).write_bytes(data[: int(len(data) * share)])
    return Path(target)
