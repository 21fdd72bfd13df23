"""Small films, and a describer and a judge that need no model: they see how bright a picture is."""

import av
import numpy as np

from lgvsc_flow.blocks.semantic import Description


def write_film(path, levels, height=48, width=64):
    """A grain of its own for each film, as bright as `levels` say: frame by frame, 0 to 255."""
    grain = np.random.default_rng(len(levels)).integers(-20, 20, (height // 8, width // 8, 3))
    grain = grain.repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv444p"
        for level in levels:
            pixels = np.clip(grain + level, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


class Light:
    """Describes a frame by its brightness; counts what it is asked."""

    def __init__(self):
        self.described = self.loaded = 0

    def load(self):
        self.loaded += 1

    def describe(self, frames):
        self.described += len(frames)
        return [Description(f"light {pixels.mean():.2f}") for pixels in frames]


class Brighter:
    """Judges by the difference of brightness: S_rel is 0 at 30 levels, 1 from 60; counts what it is asked."""

    def __init__(self):
        self.judged = 0

    def load(self):
        pass

    def judge(self, keyframe, candidates, focus):
        self.judged += len(candidates)
        here = float(keyframe.text.split()[1])
        steps = np.array([abs(float(c.text.split()[1]) - here) for c in candidates])
        p_no = np.clip(steps / 60, 0, 1)
        return 1 - p_no, p_no
