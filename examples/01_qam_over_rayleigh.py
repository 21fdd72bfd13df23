"""Ten lines of link: 16-QAM over a fading channel, its bit error rate, and where the time went."""

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import Equalizer, RayleighChannel
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import HardDecision, QamDemodulator, QamModulator, RandomBits

source, meter = RandomBits(n=4096, count=50), BerMeter()

graph = Graph("16-QAM over Rayleigh", seed=7)
graph.connect(
    source,
    QamModulator(order=16),
    RayleighChannel(esn0_db=12),
    Equalizer(),
    QamDemodulator(order=16),
    HardDecision(),
    meter.received,
)
graph.connect(source, meter.sent)
run = graph.run()

print(f"bit error rate {meter.ber:.4f}")
print(run.table())
