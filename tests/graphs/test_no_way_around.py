"""The receiver of the video links is told nothing but what crosses the channel, and what is agreed beforehand."""

from fractions import Fraction
from pathlib import Path

import networkx as nx
import pytest

from lgvsc_flow.blocks.phy import StreamJoiner
from lgvsc_flow.blocks.semantic import TextDecoder
from lgvsc_flow.blocks.video import VideoFile, VideoInfo
from lgvsc_flow.blocks.world.dsa import WorldModelBlock
from lgvsc_flow.graphs.lgvsc import CHANNELS, Scheme, lgvsc
from lgvsc_flow.graphs.text_only import text_only

VIDEO = Path("some-film.mp4")
INFO = VideoInfo(272, 640, Fraction(25), 250)
CASES = [(name, channel) for name in ("skem-dsa", "skim-sfa", "text-only") for channel in CHANNELS]


def ends(scheme, out=None):
    """The graph, its channel, and where the sender begins and the receiver ends."""
    if scheme.name == "text-only":
        graph = text_only(scheme, VIDEO, INFO)
        return graph, graph.find(CHANNELS[scheme.channel]), graph.find(VideoFile), graph.find(TextDecoder)
    graph = lgvsc(scheme, VIDEO, INFO, out)
    joiner = graph.find(StreamJoiner)
    sources = [b for b in graph.blocks if isinstance(b, VideoFile) and nx.has_path(graph.nx, b, joiner)]
    assert len(sources) == 1
    return graph, graph.find(CHANNELS[scheme.channel]), sources[0], graph.find(WorldModelBlock)


def without(graph, block):
    rest = graph.nx.copy()
    rest.remove_node(block)
    return rest


@pytest.mark.parametrize(("name", "channel"), CASES)
def test_every_way_to_the_receiver_leads_through_the_channel(name, channel, tmp_path):
    graph, channel_block, source, end = ends(Scheme(name=name, channel=channel), tmp_path)
    assert nx.has_path(graph.nx, source, end)
    rest = without(graph, channel_block)
    ours, theirs = nx.descendants(rest, source), nx.ancestors(rest, end) | {end}
    assert not ours & theirs
    # What else feeds the receiver: nothing. Its only blocks without inputs would be sources of their own.
    assert not [b for b in theirs if not b.inputs()]


@pytest.mark.parametrize(("name", "channel"), CASES)
def test_no_block_of_the_receiver_knows_the_film(name, channel):
    graph, channel_block, _, end = ends(Scheme(name=name, channel=channel))
    rest = without(graph, channel_block)
    for block in nx.ancestors(rest, end) | {end}:
        assert VIDEO.name not in repr(block.settings), block


def test_a_wire_around_the_channel_is_seen():
    graph, channel, source, end = ends(Scheme())
    assert not nx.has_path(without(graph, channel), source, end)
    graph.nx.add_edge(graph.find(StreamJoiner), end, sender=None, taker=None)
    assert nx.has_path(without(graph, channel), source, end)
