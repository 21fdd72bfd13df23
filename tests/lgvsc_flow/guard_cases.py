"""Every kernel of the PHY and the channels over arrays between forbidden pages; see `guard`."""

import sys

import numpy as np
from guard import SIZES, Case, run_all

from lgvsc_flow.blocks import phy
from lgvsc_flow.blocks.channel.awgn import add_noise
from lgvsc_flow.blocks.channel.dispersed import Dispersed, disperse
from lgvsc_flow.blocks.channel.equalizer import equalize
from lgvsc_flow.blocks.channel.mimo import MimoReceived, separate
from lgvsc_flow.blocks.phy.constellation import ORDERS
from lgvsc_flow.blocks.phy.convolutional import (
    ENDS,
    PUNCTURING,
    convolutional_code,
    decode as viterbi,
    encode as convolve,
)
from lgvsc_flow.blocks.phy.crc import CRCS, append_crc, check_crc, crc
from lgvsc_flow.blocks.phy.decision import decide, decide_symbols
from lgvsc_flow.blocks.phy.ldpc.code import wifi_code
from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.ldpc.fixed import decode_int8
from lgvsc_flow.blocks.phy.ldpc.nr_code import nr_code
from lgvsc_flow.blocks.phy.ldpc.nr_encode import nr_encode
from lgvsc_flow.blocks.phy.ldpc.nr_rate_matching import RateMatching, match, recover
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import join, segment, segmentation
from lgvsc_flow.blocks.phy.points import UserPointsDecision, UserPointsDemodulator, UserPointsModulator
from lgvsc_flow.blocks.phy.qam import modulate
from lgvsc_flow.blocks.phy.qam_soft import demodulate
from lgvsc_flow.blocks.phy.repeat import combine
from lgvsc_flow.blocks.phy.scrambler import LlrDescrambler, SelfSyncDescrambler, SelfSyncScrambler
from lgvsc_flow.blocks.random_kernels import BitStream
from lgvsc_flow.items import Received

FEW = tuple(range(0, 201, 7))
FRAMES = (0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65)


def rng(n):
    return np.random.default_rng(n)


def bits(n):
    return rng(n).integers(0, 2, n, dtype=np.uint8)


def llrs(n):
    return (3 * rng(n).normal(size=n)).astype(np.float32)


def symbols(n):
    return rng(n).normal(size=(n, 2)).astype(np.float32).view(np.complex64).reshape(-1)


def positive(n):
    return rng(n).uniform(0.01, 1, n).astype(np.float32)


def state_each(n):
    return symbols(n), symbols(n + 1)[:n].copy(), positive(n)


def state_of_burst(n):
    return symbols(n), np.array(0.7 - 0.3j, np.complex64), np.array(0.2, np.float32)


def started(block):
    block.rng = rng(1)
    block.start()
    return block


def anew(block):
    """Its `work` as a function of the item alone: the block begins again each time."""
    return lambda item: started(block).work(item)


STATES = {"each": state_each, "burst": state_of_burst}
CASES = []


def case(name, make, run, sizes=SIZES, writes=False):
    CASES.append(Case(name, make, run, sizes, writes))


for order in ORDERS:
    width = order.bit_length() - 1
    case(f"modulate {order}", lambda n, w=width: [bits(n * w)], lambda b, o=order: modulate(b, o))
    for name, state in STATES.items():
        case(f"decide_symbols {order} {name}", state, lambda *r, o=order: decide_symbols(Received(*r), o))
        for method in ("max-log", "exact"):
            case(f"{method} {order} {name}", state, lambda *r, o=order, m=method: demodulate(Received(*r), o, m))
for m in (1, 2, 3, 4, 7, 8, 9, 10, 12):
    ring = np.exp(2j * np.pi * np.arange(1 << m) / (1 << m))
    text = ", ".join(f"{p:.17g}" for p in ring)
    few = FEW if m > 4 else SIZES
    sender, receiver, judge = (
        kind(points=text) for kind in (UserPointsModulator, UserPointsDemodulator, UserPointsDecision)
    )
    exact = UserPointsDemodulator(points=text, method="exact")
    for block in (sender, receiver, judge, exact):
        block.start()
    case(f"map {m}", lambda n, m=m: [bits(n * m)], sender.work)
    case(f"points decision {m}", state_each, lambda *r, b=judge: b.work(Received(*r)), few)
    case(f"points max-log {m}", state_each, lambda *r, b=receiver: b.work(Received(*r)), few)
    case(f"points exact {m}", state_each, lambda *r, b=exact: b.work(Received(*r)), few)
case("decide", lambda n: [llrs(n)], decide)
case("add_noise", lambda n: [symbols(n)], lambda x: add_noise(x, 0.3, rng(1)))
case("bits", lambda n: [np.array([n])], lambda n: BitStream(rng(1)).take(int(n[0])))
for method in ("zf", "mmse"):
    for name, state in STATES.items():
        case(f"equalize {method} {name}", state, lambda *r, m=method: vars(equalize(Received(*r), m)).popitem())
    case(
        f"separate {method}",
        lambda n: [symbols(2 * n), symbols(4 * (-(-n // 5))).reshape(-1, 2, 2)],
        lambda y, h, m=method: tuple(vars(separate(MimoReceived(y, h, np.float32(0.1), 5), m)).values()),
    )
case(
    "disperse",
    lambda n: [symbols(n), symbols(4), symbols(5 * (n // 7 + 1)).reshape(-1, 5)],
    lambda x, history, taps: disperse(x, history, taps, 7, n_used(taps, x)),
)


def n_used(taps, x):
    """Samples of the first row that are gone, as many as may be."""
    return min(6, len(taps) * 7 - x.size)


grid = phy.OfdmDemodulator(fft_size=16, cp=3, subcarriers=11, slot_symbols=3, pilot_spacing=4, pilot_symbols=1)
case(
    "ofdm",
    lambda n: [symbols(57 * n), symbols(57 * n), positive(57 * n), symbols(5 * (57 * n // 10 + 2)).reshape(-1, 5)],
    lambda y, g, n0, taps: [tuple(vars(r).values()) for r in grid.work(Dispersed(y, g, n0, taps, 10, 3))],
    range(8),
)
for rate in PUNCTURING:
    for end in ENDS:
        code = [convolutional_code(max(k, 6), rate, end) for k in range(201)]
        case(
            f"convolutional encoder {rate} {end}",
            lambda k, c=code: [bits(2 * c[k].k)],
            lambda b, c=code: convolve(b, c[b.size // 2]),
            range(6, 201),
        )
        case(
            f"viterbi {rate} {end}",
            lambda k, c=code: [llrs((1 + k % 2) * c[k].n)],
            lambda x, c=code: viterbi(x, next(one for one in c if one.n in (x.size, x.size / 2) and one.k >= 6)),
            (*range(6, 70), *FEW[10:]),
        )
for name in CRCS:
    case(f"crc {name}", lambda n: [bits(n)], lambda b, c=name: crc(b, c))
    case(f"append_crc {name}", lambda n: [bits(3 * max(n, 1))], lambda b, c=name: append_crc(b, b.size // 3, c))
    case(
        f"check_crc {name}",
        lambda n, c=name: [append_crc(bits(3 * max(n, 1)), max(n, 1), c)],
        lambda b, c=name: check_crc(b, b.size // 3 - CRCS[c].bits, c),
    )
for m in (1, 2, 4, 6, 8, 10, 12):
    for n in (m, 5 * m, 16 * m, 33 * m, 64 * m):
        same = {"n": n, "bits_per_symbol": m}
        case(f"NrInterleaver {n} {m}", lambda w, n=n: [bits(w * n)], phy.NrInterleaver(**same).work, range(4))
        case(f"NrDeinterleaver {n} {m}", lambda w, n=n: [llrs(w * n)], phy.NrDeinterleaver(**same).work, range(4))
for n in (1, 7, 16, 31, 64, 65):
    case(f"Interleaver {n}", lambda w, n=n: [bits(w * n)], phy.Interleaver(columns=n).work, range(70))
    case(f"Deinterleaver {n}", lambda w, n=n: [llrs(w * n)], phy.Deinterleaver(columns=n).work, range(70))
case("RandomInterleaver", lambda n: [bits(n)], phy.RandomInterleaver().work, FEW)
case("RandomDeinterleaver", lambda n: [llrs(n)], phy.RandomDeinterleaver().work, FEW)
for kind in (SelfSyncScrambler, SelfSyncDescrambler):
    case(kind.__name__, lambda n: [bits(n)], anew(kind()))
case("LlrDescrambler", lambda n: [llrs(n)], anew(LlrDescrambler()))
case("combine", lambda n: [llrs(3 * n)], lambda x: combine(x, 3))

LDPC = [
    *(wifi_code(n, rate) for n, rate in ((648, "1/2"), (648, "5/6"), (1296, "2/3"), (1944, "3/4"))),
    *(nr_code(graph, z) for graph, z in ((1, 2), (1, 15), (2, 3), (2, 16), (2, 36), (2, 72))),
]
for code in LDPC:
    short = FRAMES if code.n < 700 else (0, 1, 2, 17)
    if code.name.startswith("802.11"):
        case(f"encode {code.name}", lambda f, c=code: [bits(f * c.k)], lambda b, c=code: encode(b, c), FRAMES)
    else:
        case(
            f"encode {code.name}",
            lambda f, c=code: [bits(f * c.k).reshape(f, c.k)],
            lambda b, c=code: nr_encode(b, c),
            range(6),
        )
    case(
        f"decode {code.name}",
        lambda f, c=code: [llrs(f * c.n)],
        lambda x, c=code: decode(x, c, max_iterations=2),
        (0, 1, 2),
    )
    for early in (True, False):
        case(
            f"decode_int8 {code.name} {early}",
            lambda f, c=code: [llrs(f * c.n)],
            lambda x, c=code, e=early: tuple(decode_int8(x, c, max_iterations=2, early_stop=e)),
            short,
        )
    for wanted in (16, code.k, code.n):
        case(
            f"decode_int8 {code.name} wanted={wanted}",
            lambda f, c=code, w=wanted: [llrs(f * c.n), np.full(f * w, 5, np.float32)],
            lambda x, s, c=code, w=wanted: tuple(decode_int8(x, c, max_iterations=2, wanted=w, soft=s)),
            (0, 1, 3),
            writes=True,
        )
        case(
            f"decode_int8 {code.name} bits {wanted}",
            lambda f, c=code: [llrs(f * c.n)],
            lambda x, c=code, w=wanted: tuple(decode_int8(x, c, max_iterations=2, wanted=w)),
            (1, 5, 64),
        )
for a, e, m in ((40, 96, 2), (100, 312, 6), (3900, 8000, 4), (20, 2000, 8)):
    cut = segmentation(a, 2)
    plan = RateMatching(cut, e, m)
    size = max(plan.code(rv).n for rv in range(4))
    case(f"segment {a}", lambda f, c=cut: [bits(f * c.a)], lambda b, c=cut: segment(b, c), range(4))
    case(
        f"join {a}",
        lambda f, c=cut: [bits(f * c.code_blocks * c.k).reshape(f * c.code_blocks, c.k)],
        lambda w, c=cut: tuple(join(w, c)),
        range(4),
    )
    for rv in range(4):
        case(
            f"match {a} {e} rv={rv}",
            lambda f, p=plan, n=size: [bits(f * p.cut.code_blocks * n).reshape(f * p.cut.code_blocks, n)],
            lambda w, p=plan, rv=rv: match(w, p, rv),
            range(4),
        )
        case(
            f"recover {a} {e} rv={rv}",
            lambda f, p=plan, n=size: [llrs(f * p.e), np.zeros((f * p.cut.code_blocks, n), np.float32)],
            lambda x, b, p=plan, rv=rv: recover(x, p, rv, b),
            range(4),
            writes=True,
        )

if __name__ == "__main__":
    run_all(CASES, int(sys.argv[1]))
