"""Send keyframes over a fading channel, and write to a file what crossed it: the sending half of two processes."""

from pathlib import Path

from lgvsc_flow.blocks.channel import RayleighChannel
from lgvsc_flow.blocks.video.synthetic import scene_frame
from lgvsc_flow.graphs.keyframes import KeyframeSession, transmitter

out = Path("out")
out.mkdir(exist_ok=True)
session = KeyframeSession(height=96, width=128, snr_db=10, fading=True)  # all that both ends agree on
session.save(out / "session.json")

pictures = [scene_frame(96, 128, scene, 0) for scene in range(3)]
graph, ledger = transmitter(session, pictures, out / "air", RayleighChannel(esn0_db=12), target_cbr=0.1, seed=1)
graph.run()

print(ledger.table(), f"written: {out / 'air'}.sigmf-data and .sigmf-meta", sep="\n")
