import numpy as np
import pytest

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import (
    LdpcDecoder,
    LdpcEncoder,
    QamDemodulator,
    QamModulator,
    RandomBits,
    UserLdpcDecoder,
    UserLdpcEncoder,
)
from lgvsc_flow.blocks.phy.ldpc.alist import format_alist, write_alist
from lgvsc_flow.blocks.phy.ldpc.code import wifi_code
from lgvsc_flow.blocks.phy.ldpc.parity_check import ParityCheck
from lgvsc_flow.blocks.phy.ldpc.user_blocks import EXAMPLE
from lgvsc_flow.errors import BlockError, SettingError, WiringError
from lgvsc_flow.testing import assert_chunking_invariant, assert_same_on_all_engines, run_block

WIDE = format_alist(ParityCheck.of_dense(np.hstack([np.ones((4, 40), np.uint8), np.eye(4, dtype=np.uint8)])))


@pytest.fixture
def wifi(tmp_path):
    path = tmp_path / "wifi.alist"
    write_alist(path, ParityCheck.of_dense(wifi_code(648, "1/2").parity_check()))
    return str(path)


def link(encoder, decoder, esn0_db=1.5, count=30):
    source, meter = RandomBits(n=8 * encoder.k, count=count), BerMeter()
    graph = Graph("link", seed=4)
    graph.connect(
        source, encoder, QamModulator(order=4), AwgnChannel(esn0_db=esn0_db), QamDemodulator(order=4), decoder
    )
    graph.connect(decoder, meter.received)
    graph.connect(source, meter.sent)
    return graph


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_an_alist_of_802_11_is_the_built_in_code(precision, wifi):
    """Bit for bit, over AWGN, where words are lost."""
    built_in = link(LdpcEncoder(), LdpcDecoder(precision=precision))
    own = link(UserLdpcEncoder(matrix=wifi), UserLdpcDecoder(matrix=wifi, precision=precision))
    for graph in (built_in, own):
        graph.run(engine="inline")
    assert built_in["BerMeter"].errors > 100
    assert (built_in["BerMeter"].bits, built_in["BerMeter"].errors) == (
        own["BerMeter"].bits,
        own["BerMeter"].errors,
    )


@pytest.mark.parametrize("matrix", [EXAMPLE, WIDE])
def test_engines(matrix):
    assert_same_on_all_engines(
        lambda: link(UserLdpcEncoder(matrix=matrix), UserLdpcDecoder(matrix=matrix), esn0_db=3, count=4), (1, 4)
    )


def test_bursts_may_be_cut_anywhere():
    code = UserLdpcEncoder().code
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, 70 * code.k, np.uint8)
    assert_chunking_invariant(UserLdpcEncoder(), bits, unit=code.k)
    llrs = (2 - 4.0 * code.encode(bits) + 2 * rng.normal(size=70 * code.n)).astype(np.float32)
    assert_chunking_invariant(UserLdpcDecoder(), llrs, unit=code.n)
    assert_chunking_invariant(UserLdpcDecoder(precision="int8"), llrs, unit=code.n)


@pytest.mark.parametrize("as_path", [True, False])
def test_graph_files(as_path, wifi, tmp_path):
    matrix = wifi if as_path else EXAMPLE
    settings = {"max_iterations": 7, "precision": "int8", "early_stop": False}
    graph = link(UserLdpcEncoder(matrix=matrix), UserLdpcDecoder(matrix=matrix, **settings))
    graph.save(tmp_path / "link.yaml")
    again = Graph.load(tmp_path / "link.yaml")
    for name in ("UserLdpcEncoder", "UserLdpcDecoder"):
        assert again[name].settings == graph[name].settings
    for one in (graph, again):
        one.run(engine="inline")
    assert graph["BerMeter"].errors == again["BerMeter"].errors


def test_two_codes_clash():
    graph = link(UserLdpcEncoder(), UserLdpcDecoder(information="last"))
    with pytest.raises(WiringError, match=r"code is LDPC 64/128 \w{8} \(set by UserLdpcEncoder"):
        graph.check()


def test_nan_is_an_erasure_and_infinity_is_sure():
    code = UserLdpcDecoder().code
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2, 20 * code.k, np.uint8)
    llrs = np.where(code.encode(bits), -4, 4).astype(np.float32)
    llrs[rng.choice(llrs.size, 100, replace=False)] = np.nan
    sure = rng.choice(llrs.size, 100, replace=False)
    llrs[sure] = np.where(code.encode(bits)[sure], -np.inf, np.inf)
    for precision in ("float32", "int8"):
        (found,) = run_block(UserLdpcDecoder(precision=precision), [llrs])
        assert np.array_equal(found, bits)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (
            UserLdpcEncoder,
            {"matrix": "none.alist"},
            "UserLdpcEncoder.matrix: 'none.alist' cannot be read: No such file",
        ),
        (
            UserLdpcDecoder,
            {"matrix": "4 2 8; 0"},
            "UserLdpcDecoder.matrix: line 2: there are 1 numbers; expected the 4",
        ),
        (UserLdpcDecoder, {"matrix": 7}, "UserLdpcDecoder.matrix takes str, got int 7"),
        (UserLdpcEncoder, {"information": "middle"}, "information is one of auto, first, last; got 'middle'"),
        (
            UserLdpcDecoder,
            {"precision": "int8", "factor": 0.7},
            "factor is for precision='float32', int8 has its own; got 0.7",
        ),
        (UserLdpcDecoder, {"early_stop": False}, "float32 always stops early; early_stop=False needs int8"),
        (
            UserLdpcDecoder,
            {"matrix": WIDE, "precision": "int8"},
            "UserLdpcDecoder: int8 decodes checks of at most 32 bits, this matrix has one of 41; take",
        ),
    ],
)
def test_settings(kind, settings, message):
    with pytest.raises(SettingError) as error:
        kind(**settings)
    assert message in str(error.value)


def test_bursts_that_do_not_fit():
    for block, burst, message in (
        (UserLdpcEncoder(), np.zeros(65, np.uint8), "got Bits[65]; a burst must hold whole information words of k=64."),
        (UserLdpcDecoder(), np.zeros(127, np.float32), "got Llrs[127]; a burst must hold whole codewords of n=128."),
        (UserLdpcEncoder(), np.full(64, 2, np.uint8), "got Bits[64]; bits are 0 or 1, got 2"),
    ):
        with pytest.raises(BlockError) as error:
            run_block(block, [burst])
        assert message in str(error.value)
