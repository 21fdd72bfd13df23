"""What `phy.py` measures: blocks on one burst, then links through `graph.run()`; each case is ours and its peers."""

from __future__ import annotations

from collections.abc import Sequence

from cases import Case, Job, Recorded, Target, Values, at_least, at_most, times
from phy_ldpc_rows import LDPC
from phy_peers import commpy, convolutional_peer, gnuradio, gnuradio_ldpc, numpy, ours, sionna, sk_dsp
from runtime_rows import ESN0_DB, modem_peer, theory_ber

__all__ = ["CASES"]


def _block(
    name: str,
    what: str,
    part: str,
    peers: Sequence[Job | Recorded],
    *settings: str,
    of: str = "symbols",
    target: Target | None = None,
) -> Case:
    return Case(name, what, "rate", ours(part, *settings), tuple(peers), of=of, target=target)


def _qam() -> list[Case]:
    cases = []
    for order in (16, 256):
        given, gnu = f"order={order}", [gnuradio("mapper")] if order == 16 else []
        peers = [numpy("qam.mapper", given), *gnu, sionna("mapper", given), commpy("qam.mapper", given)]
        cases.append(_block(f"qam-mapper-{order}", f"{order}-QAM mapper", "qam.mapper", peers, given))
    for order in (16, 64, 256):
        given, gnu = f"order={order}", [gnuradio("soft", "GNU Radio, 8-bit table")] if order == 16 else []
        peers = [numpy("qam.demapper", given), *gnu, sionna("demapper", given, "method=max-log")]
        target = at_least(1000, "M symbols/s") if order == 16 else None
        what = f"{order}-QAM demapper, max-log"
        name = f"qam-max-log-{order}"
        cases.append(_block(name, what, "qam.demapper", peers, given, "method=max-log", target=target))
    for order in (16, 64, 256):
        given = f"order={order}"
        peers = [sionna("demapper", given, "method=exact"), commpy("qam.demapper", given)]
        what = f"{order}-QAM demapper, exact"
        cases.append(_block(f"qam-exact-{order}", what, "qam.demapper", peers, given, "method=exact"))
    for order in (16, 256):
        given, gnu = f"order={order}", [gnuradio("hard")] if order == 16 else []
        peers = [numpy("qam.decision", given), *gnu, sionna("decision", given)]
        cases.append(_block(f"qam-hard-{order}", f"{order}-QAM, hard decision", "qam.decision", peers, given))
    cases.append(_block("llr-signs", "hard decision of LLRs", "qam.signs", [numpy("qam.signs")], of="bits"))
    for method in ("max-log", "exact"):
        peers = [numpy("qam.points_demapper")] if method == "max-log" else []
        what = f"demapper of 16 own points, {method}"
        cases.append(_block(f"points-{method}", what, "qam.points_demapper", peers, f"method={method}"))
    return cases


def _channels() -> list[Case]:
    def flat(part: str, what: str, *more: Job, target: Target | None = None) -> Case:
        peers = [numpy(f"channels.{part}"), *more]
        return _block(f"channel-{part}", what, f"channels.{part}", peers, target=target)

    def tdl(name: str, what: str, doppler_hz: int, coherence: int, peer: Job) -> Case:
        given = (f"doppler_hz={doppler_hz}", f"coherence={coherence}")
        return _block(f"channel-tdl-{name}", f"TDL-A, {what}", "channels.tdl", [peer], *given, of="samples")

    cases = [
        flat("awgn", "AWGN", gnuradio("awgn"), sionna("awgn"), target=at_least(500, "M symbols/s")),
        flat("rayleigh", "Rayleigh, 64 symbols a block"),
        flat("rician", "Rician, 64 symbols a block"),
    ]
    fading = Job("GNU Radio, each its own", "gnuradio/fading.py", ("--sinusoids", "64", "--paths", "1"))
    selective = Job("GNU Radio, each its own", "gnuradio/fading.py", ("--sinusoids", "64", "--paths", "23"))
    for coherence, what in ((1, "each symbol its own gain"), (16, "16 symbols a gain")):
        given = f"coherence={coherence}"
        peers = [numpy("channels.jakes", given), fading]
        what = f"Jakes, 64 sinusoids, {what}"
        cases.append(_block(f"channel-jakes-{coherence}", what, "channels.jakes", peers, given))
    paths = "23 paths of 64 sinusoids"
    return [
        *cases,
        tdl("still", "standing still", 0, 64, Job("NumPy", "phy_parts.py", ("channels.tdl_numpy",), samples=3)),
        tdl("doppler", f"{paths}, taps held for 64 samples", 1500, 64, selective),
        tdl("doppler-each", f"{paths}, each sample its own taps", 1500, 1, selective),
        flat("erasures", "Gilbert-Elliott erasures"),
        flat("mimo", "MIMO 2x2, 64 uses a block"),
        _block("channel-mimo-mmse", "MIMO 2x2, MMSE", "channels.equalizer", [numpy("channels.equalizer")]),
    ]


def _ofdm() -> list[Case]:
    ends = (("modulator", "ofdm", "modulator"), ("demodulator", "prefix", "demodulator, with the true gains"))
    cases = []
    for part, peer, what in ends:
        others = [gnuradio(peer, "GNU Radio, no pilots"), sionna(f"ofdm_{part}", label="Sionna, no pilots")]
        peers = [numpy(f"ofdm.{part}"), *others]
        cases.append(_block(f"ofdm-{part}", f"OFDM {what}", f"ofdm.{part}", peers))
    for method in ("ls", "lmmse"):
        peers = [numpy("ofdm.estimator", label="NumPy, a matrix product")]
        what = f"OFDM channel estimation, {method}"
        cases.append(_block(f"ofdm-estimation-{method}", what, "ofdm.estimator", peers, f"method={method}"))
    return cases


def _bits() -> list[Case]:
    def of_bits(name: str, what: str, part: str, peers: Sequence[Job], *settings: str) -> Case:
        return _block(name, what, f"bits.{part}", peers, *settings, of="bits")

    def interleaver(kind: str, what: str, *more: Job) -> list[Case]:
        found = []
        for direction in ("interleave", "deinterleave"):
            given = (f"kind={kind}", f"direction={direction}")
            label = "NumPy, plain transpose" if kind == "rows" else "NumPy"
            peers = [numpy("bits.interleaver", *given, label=label), *(more if direction == "interleave" else ())]
            name = "interleaver" if direction == "interleave" else "deinterleaver"
            found.append(of_bits(f"{name}-{kind}", f"{what} {name}", "interleaver", peers, *given))
        return found

    return [
        of_bits("crc-append", "CRC24A, append", "crc_append", [numpy("bits.crc"), sionna("crc")]),
        of_bits("crc-check", "CRC24A, check", "crc_check", []),
        of_bits(
            "scrambler",
            "scrambler of NR",
            "scrambler",
            [numpy("bits.scrambler", label="NumPy, known sequence"), gnuradio("scrambler"), sionna("scrambler")],
        ),
        of_bits("descrambler", "descrambler of NR, LLRs", "descrambler", []),
        *interleaver("rows", "row-column", sionna("interleaver", "kind=rows")),
        *interleaver("random", "random", sionna("interleaver", "kind=random")),
        *interleaver("nr", "NR")[:1],
    ]


def _convolutional() -> list[Case]:
    def case(part: str, k: int, termination: str = "zero", *more: Job, target: Target | None = None) -> Case:
        what = {"encoder": "convolutional encoder", "viterbi": "Viterbi decoder, K=7"}[part]
        given = (f"k={k}", "code_rate=1/2", f"termination={termination}")
        peers = [convolutional_peer(part, k, termination), *more]
        name = f"convolutional-{part}-{k}-{termination}"
        return _block(
            name, f"{what}, r=1/2, {termination}, k={k}", f"bits.{part}", peers, *given, of="bits", target=target
        )

    slow = [(commpy(f"bits.{part}"), sk_dsp(f"bits.{part}")) for part in ("viterbi", "encoder")]
    tensors = [sionna(part, "k=2048", "words=8") for part in ("viterbi", "encoder")]
    return [
        case("viterbi", 2048, "zero", tensors[0], *slow[0], target=times(1)),
        case("viterbi", 16384, target=times(1)),
        case("viterbi", 128, target=times(1)),
        case("viterbi", 2048, "truncated", target=times(1)),
        case("viterbi", 128, "tail-biting", target=times(1)),
        case("encoder", 2048, "zero", tensors[1], *slow[1]),
    ]


def _clean(factor: float) -> Target:
    """So many times the peer, and neither has more than one wrong bit in a million."""

    def holds(left: Values, peer: Values) -> bool:
        return left["cpu"] >= factor * peer["cpu"] and max(left["ber"], peer["ber"]) <= 1e-6

    return Target(f">= {factor:g}x, BER of both at most 1e-6", holds, needs_peer=True)


def _soft(factor: float) -> Target:
    """So many times the peer; our errors are those of theory, the peer's 8-bit table may cost it some."""

    def holds(left: Values, peer: Values) -> bool:
        want = theory_ber(ESN0_DB)
        return left["cpu"] >= factor * peer["cpu"] and abs(left["ber"] / want - 1) <= 0.02 and peer["ber"] <= 1.1 * want

    return Target(f">= {factor:g}x, BER within 2 % of theory", holds, needs_peer=True)


def _chains() -> list[Case]:
    def chain(name: str, what: str, peer: Job, target: Target | None, of: str = "bits") -> list[Case]:
        return [
            Case(
                f"chain-{name}-{engine}",
                f"{what}, graph.run(), {engine}",
                "rate",
                Job("ours", "phy_chains.py", (name, "--engine", engine)),
                (peer,),
                of=of,
                target=target,
            )
            for engine in ("threads", "inline")
        ]

    wifi = "bits, LDPC n=1944 r=1/2, 16-QAM, AWGN 9 dB, LLRs, decoder, BER"
    nr = "bits, NR LDPC 1008/2048, 16-QAM, AWGN 9 dB, LLRs, decoder, BER"
    conv = "bits, convolutional code, 16-QAM, AWGN 9 dB, LLRs, Viterbi, BER"
    tensors = sionna("nr_chain", "k=1024", "n=2048", "words=64", "update=minsum", label="Sionna, min-sum flooding")
    return [
        *chain("soft", "bits, 16-QAM, AWGN, LLRs, decision, BER", modem_peer("soft", None), _soft(20), of="symbols"),
        *chain("ldpc", wifi, gnuradio_ldpc("chain", "--iterations", "20", "--esn0-db", "9"), _clean(100)),
        *chain("nr", nr, tensors, None),
        *chain("convolutional", conv, convolutional_peer("chain", 2048, "truncated", esn0_db=9.0), None),
    ]


def _start() -> list[Case]:
    first = "process start to the first decoded codeword"
    warm = Job("ours", "start_codeword.py", timed=False)
    cold = Job("ours", "start_codeword.py", ("--cold",), timed=False, samples=2)
    return [
        Case("start-codeword", first, "seconds", warm, by="wall", target=at_most(1.5, "s", by="wall")),
        Case("start-codeword-cold", f"{first}, kernels compiled anew", "seconds", cold, by="wall"),
    ]


CASES = (*_qam(), *_channels(), *_ofdm(), *_bits(), *_convolutional(), *LDPC, *_chains(), *_start())
