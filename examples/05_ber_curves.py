"""Error rate curves: three codes of rate 1/2 and uncoded bits over block Rayleigh fading, drawn into one plot."""

import sys

from lgvsc_flow.graphs.ber import ber_curve, errors
from lgvsc_flow.graphs.ber_plot import plot_curves
from lgvsc_flow.graphs.ber_theory import theory
from lgvsc_flow.graphs.modem import Modem

ORDER, CHANNEL = 4, "rayleigh:coherence=16"

curves = []
for code in ("none", "conv:1/2:k=324", "wifi:648/1/2", "nr:324/648"):
    modem = Modem(code=code, order=ORDER, channel=CHANNEL, interleave=True)
    curves.append(ber_curve(modem, [0, 2, 4, 6, 8], stop=errors(50, max_bits=1e6), seed=1))
    for point in curves[-1].points:
        rate = f"{point.ber:.2e} ({point.ber_low:.1e} to {point.ber_high:.1e})"
        print(f"{modem.name}: Eb/N0 {point.ebn0_db:5.2f} dB, bit error rate {rate}")
if len(sys.argv) > 1:  # python 05_ber_curves.py curves.png
    form = theory(ORDER, modem.parsed_channel)
    plot_curves(curves, sys.argv[1], closed_forms={"uncoded, closed form": form})
