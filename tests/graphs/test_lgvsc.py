"""The digital link of the video graphs: its scheme, what it costs, and that short bursts outlive fading."""

from collections.abc import Iterator

import numpy as np
import pytest

from lgvsc_flow import Block, Graph, Out
from lgvsc_flow.blocks.channel import Equalizer
from lgvsc_flow.blocks.metrics import PacketMeter
from lgvsc_flow.blocks.ntscc.rate import link_mcs
from lgvsc_flow.blocks.phy import NoPayload, QamModulator, StreamJoiner
from lgvsc_flow.blocks.phy.packet import join_streams
from lgvsc_flow.blocks.phy.transport import block_bits, block_symbols
from lgvsc_flow.graphs.lgvsc import SHORT_FADING_DB, Scheme, channel_block, control_mcs, receive, transmit
from lgvsc_flow.items import Payload
from lgvsc_flow.probe import Probe


class Captions(Block):
    """Payloads of random bytes, of these sizes."""

    payloads = Out(Payload)

    sizes: tuple[int, ...] = ()

    def work(self) -> Iterator[Payload]:
        rng = np.random.default_rng(3)
        for index, size in enumerate(self.sizes):
            yield Payload(index, "caption", rng.bytes(size))


def link(scheme, sizes):
    """Captions over the digital link: what was sent, what came, the meter, the symbols on the channel."""
    graph, source, joiner, mcs = Graph("link", seed=2), Captions(sizes=sizes), StreamJoiner(), control_mcs(scheme)
    modulator, channel, equalizer = QamModulator(order=mcs.order), channel_block(scheme), Equalizer()
    sent, came = Probe(name="sent", keep=None), Probe(name="came", keep=None)
    graph.connect(source, sent)
    graph.connect(source, joiner.captions)
    graph.connect(source, NoPayload(stream="side"), joiner.side)
    graph.connect(source, NoPayload(stream="hyperprior"), joiner.hyperprior)
    transmit(graph, mcs, joiner, modulator)
    graph.connect(modulator, channel, equalizer)
    graph.connect(receive(graph, mcs, equalizer, joiner).captions, came)
    graph.run(engine="inline")
    return sent.items, came.items, graph.find(PacketMeter), channel.symbol_count


@pytest.mark.parametrize("channel", ["awgn", "rayleigh"])
@pytest.mark.parametrize("esn0_db", [-20.0, -3.0, 0.0, 10.0, 17.5, 40.0])
def test_the_hyperprior_crosses_the_link_that_its_price_is_for(channel, esn0_db):
    """`digital_symbols` counts with `link_mcs`."""
    for name in ("skem-dsa", "skim-sfa"):
        scheme = Scheme(name=name, channel=channel, esn0_db=esn0_db)
        assert control_mcs(scheme) == link_mcs(esn0_db, fading=channel != "awgn")


def test_captions_alone_have_more_margin_over_fading():
    for channel, less in (("awgn", 0.0), ("rayleigh", SHORT_FADING_DB)):
        alone = control_mcs(Scheme(name="text-only", channel=channel))
        assert alone == control_mcs(Scheme(channel=channel, esn0_db=10 - less))


@pytest.mark.parametrize("scheme", [Scheme(), Scheme(esn0_db=0), Scheme(name="text-only", channel="rayleigh")])
def test_payloads_of_any_size_arrive_at_their_price(scheme):
    sizes, mcs = (0, 1, 7, 20, 126, 127, 500, 2000), control_mcs(scheme)
    sent, came, meter, symbols = link(scheme, sizes)
    assert [p.data for p in came] == [p.data for p in sent]
    assert (meter.packets, meter.lost, meter.undetected) == (len(sizes), 0, 0)
    bits = [8 * len(join_streams({"caption": p.data})) for p in sent]
    price = [block_symbols(block_bits(b, mcs.code_rate), mcs.order, mcs.code_rate) for b in bits]
    assert symbols == sum(price)


def test_what_does_not_arrive_is_lost_and_counted():
    sent, came, meter, _ = link(Scheme(esn0_db=-20, name="text-only"), (20,) * 5)
    assert len(sent) == len(came) == 5
    assert all((p.data is None) == p.lost for p in came)
    assert meter.lost == sum(p.lost for p in came) == 5


def test_captions_alone_outlive_fading():
    """1 of 500 was lost when the margin was chosen, 1 in 20 without it.

    7 or more of 400 have a probability of 2e-5 then; 6 or fewer one of 3e-4 without the margin.
    """
    *_, meter, _ = link(Scheme(name="text-only", channel="rayleigh"), (16,) * 400)
    assert meter.packets == 400
    assert meter.lost <= 6
    assert meter.undetected == 0
