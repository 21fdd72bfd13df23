"""The whole job from Python: a real clip over the LGVSC link, in three channels."""

from pathlib import Path

from lgvsc_flow.graphs.clips import demo_clip
from lgvsc_flow.graphs.job import send
from lgvsc_flow.graphs.lgvsc import Scheme

for channel, esn0_db in (("awgn", 10), ("awgn", 0), ("rayleigh", 10)):
    out = Path("out") / f"{channel}_{esn0_db}db"
    data = send(Scheme(channel=channel, esn0_db=esn0_db), demo_clip(), out, progress=True)
    print(f"{out}: CBR {data['cbr']['total']:.2e}, PSNR {data['quality']['psnr_db']:.2f} dB")
