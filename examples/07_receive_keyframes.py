"""Rebuild keyframes from what crossed the channel, and from nothing else: the receiving half of two processes."""

from pathlib import Path

import numpy as np

from lgvsc_flow.blocks.video.synthetic import scene_frame
from lgvsc_flow.graphs.keyframes import KeyframeSession, receiver

out = Path("out")  # where 06_send_keyframes.py has left session.json and air.sigmf-*
graph, received = receiver(KeyframeSession.load(out / "session.json"), out / "air")
graph.run()

for keyframe in received.items:
    if keyframe.pixels is None:
        print(f"keyframe {keyframe.index}: lost")
        continue
    sent = scene_frame(96, 128, keyframe.index, 0).astype(float)  # only to say how good it is
    error = np.mean((keyframe.pixels - sent) ** 2)
    print(f"keyframe {keyframe.index}: {10 * np.log10(255**2 / error):.2f} dB")
