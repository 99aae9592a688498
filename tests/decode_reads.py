"""What workers do in the tests of decoding ahead: the video id of a clip says how it behaves.

An id is words with numbers after them, such as ``sleep0.2``; see ``read``.
"""

import os
import signal
import sys
import time

import numpy as np

from avzsl.decode.errors import DecodeError, NoStream, TooShort
from avzsl.decode.task import Sound
from avzsl.types import ClipRef, Waveform


def payload(clip, count):
    """Sound whose every sample is the length of the id, so that mixed-up clips show."""
    samples = np.full((1, count), len(clip.video_id), np.float32)
    return Sound(waveform=Waveform(samples=samples, sample_rate=10), spans=np.zeros((1, 2)))


def read(clip, task):
    """Behave as the id says."""
    word = clip.video_id.split()[0]
    number = float(clip.video_id.split()[1]) if " " in clip.video_id else 0.0
    if word == "sleep":
        time.sleep(number)
    elif word == "kill":
        os.kill(os.getpid(), signal.Signals(int(number)))
    elif word == "exit":
        os._exit(int(number))
    elif word == "sysexit":
        sys.exit(int(number))
    elif word == "memory":
        raise MemoryError
    elif word == "raise":
        errors = [DecodeError, NoStream, TooShort, FileNotFoundError, KeyError]
        raise errors[int(number)]("first line\nsecond line")
    elif word == "torch":
        assert "torch" not in sys.modules, "the worker imported torch"
    elif word == "deaf":
        # Closes all sockets and goes on living.
        os.closerange(3, 256)
        time.sleep(60)
    elif word == "pid":
        return payload_of_pid(clip)
    return payload(clip, int(number) if word == "size" else 4)


def payload_of_pid(clip):
    samples = np.array([[os.getpid()]], np.float64).view(np.float32)
    return Sound(waveform=Waveform(samples=samples, sample_rate=10), spans=np.zeros((1, 2)))


def pid_of(sound):
    """Read the process id that ``pid`` sent."""
    return int(sound.waveform.samples.view(np.float64)[0, 0])


def clips(words, path):
    """One clip an id; the file only needs to be there."""
    return [ClipRef(video_id=word, path=str(path)) for word in words]


class CannotBeRead:
    """Pickles, but does not unpickle."""

    def __reduce__(self):
        return explode, ()

    def __call__(self, clip, task):
        raise AssertionError


def explode():
    raise ImportError("no module named nonsense")
