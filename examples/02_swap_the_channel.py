"""A robustness study: the same coded link over two channels; only the channel block is another."""

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel, Equalizer, RayleighChannel
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import LdpcDecoder, LdpcEncoder, QamDemodulator, QamModulator, RandomBits

CODE = {"n": 648, "code_rate": "1/2"}

for channel in (AwgnChannel, RayleighChannel):
    for esn0_db in (4, 6, 8, 10):
        source, meter = RandomBits(n=324 * 20, count=10), BerMeter()
        graph = Graph(f"{channel.__name__} at {esn0_db} dB", seed=1)
        graph.connect(source, LdpcEncoder(**CODE), QamModulator(order=16), channel(esn0_db=esn0_db), Equalizer())
        graph.connect(graph["Equalizer"], QamDemodulator(order=16), LdpcDecoder(**CODE), meter.received)
        graph.connect(source, meter.sent)
        graph.run()
        print(f"{graph.name:24} bit error rate {meter.ber:.5f}")
