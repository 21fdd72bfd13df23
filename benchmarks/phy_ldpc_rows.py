"""The LDPC cases of `phy.py`. AFF3CT and srsRAN come in no package: their figures are recorded."""

from __future__ import annotations

from dataclasses import replace

from cases import Case, Job, Recorded, at_least, times
from phy_peers import FEW, gnuradio_ldpc, numpy, ours, sionna

__all__ = ["LDPC"]

LENGTHS = (648, 1296, 1944)
RATES = ("1/2", "2/3", "3/4", "5/6")
MACHINE = "one core of a 2-core virtual AMD EPYC (Zen 4, 3.6 GHz) on 2026-11-23, in turns with ours, thread CPU time"
Z = 384
# Base graph, rows, code rate; LLRs of 24, 66, 12 and 50 columns, as srsRAN's benchmark decodes them.
NR = ((1, 4, "0.917"), (1, 46, "1/3"), (2, 4, "0.833"), (2, 42, "0.2"))
# The same through the block: a transport block with its CRC that fills one code block; bits sent.
NR_BLOCKS = {"0.917": (8424, 24 * Z), "1/3": (8424, 66 * Z), "0.833": (3824, 12 * Z), "0.2": (3824, 50 * Z)}


def _recorded(label: str, low: float, high: float, factor: float | None = None) -> Recorded:
    target = None if factor is None else times(factor)
    return Recorded(f"{label} (recorded)", low, high, MACHINE, target)


SRSRAN = {
    "0.917": _recorded("srsRAN, AVX2", 90, 91),
    "1/3": _recorded("srsRAN, AVX2", 16.8, 16.9),
    "0.833": _recorded("srsRAN, AVX2", 73, 75),
    "0.2": _recorded("srsRAN, AVX2", 10.2, 10.7),
}


def _case(name: str, what: str, job: Job, *peers: Job | Recorded, **more: object) -> Case:
    return Case(name, what, "rate", job, peers, of="bits", **more)  # type: ignore[arg-type]


def _encoders() -> list[Case]:
    gigabit = at_least(1000, "Mbit/s")
    cases = []
    for n, code_rate in ((1944, "1/2"), (1944, "5/6"), (648, "1/2")):
        given = (f"n={n}", f"code_rate={code_rate}", "words=128")
        peers = [numpy("ldpc.encoder", *given, label="NumPy matrix")]
        peers += [gnuradio_ldpc("encoder")] if (n, code_rate) == (1944, "1/2") else []
        name = f"ldpc-encoder-{n}-{code_rate.replace('/', '')}"
        cases.append(
            _case(
                name, f"LDPC encoder, 802.11n n={n} r={code_rate}", ours("ldpc.encoder", *given), *peers, target=gigabit
            )
        )
    tensors = sionna("nr_encoder", "k=1024", "n=2048", "words=64")
    for a, e, words, peers in ((1008, 2048, 64, [tensors]), (8424, 24 * Z, 8, []), (8424, 66 * Z, 8, [])):
        job = ours("ldpc.nr_encoder", f"a={a}", f"e={e}", f"words={words}")
        what = f"LDPC encoder, NR, {a} bits to {e}, with CRC and rate matching"
        cases.append(_case(f"ldpc-encoder-nr-{a}-{e}", what, job, *peers, target=gigabit))
    return cases


def _wifi() -> list[Case]:
    def job(n: int, code_rate: str, words: int, *settings: str, label: str = "ours") -> Job:
        given = (f"n={n}", f"code_rate={code_rate}", f"words={words}", *settings)
        few = None if (n, code_rate) == (1944, "1/2") else FEW
        return replace(ours("ldpc.decoder", *given, label=label), samples=few)

    def floats(n: int, code_rate: str, *settings: str) -> Job:
        return job(n, code_rate, 128, "precision=float32", *settings, label="ours, float32")

    ten = "10 iterations, no early stop, int8"
    aff3ct = _recorded("AFF3CT 3.0.2 int16 NMS", 89, 95)
    stopping = _recorded("AFF3CT 3.0.2 int16 NMS, early stop", 49, 53, 4)
    stop = ("max_iterations=20", "stop=1", "esn0_db=2.0")
    name, what = "ldpc-1944-12", "LDPC decoder, 802.11n n=1944 r=1/2"
    cases = [
        _case(
            f"{name}-128",
            f"{what}, {ten}, 128 words",
            job(1944, "1/2", 128),
            replace(aff3ct, target=times(3)),
            _recorded("AFF3CT 3.0.2 float NMS", 49, 53),
            gnuradio_ldpc("decoder", "--iterations", "10"),
            floats(1944, "1/2"),
        ),
        _case(f"{name}-8", f"{what}, {ten}, 8 words", job(1944, "1/2", 8), aff3ct),
        _case(f"{name}-1", f"{what}, {ten}, 1 word", job(1944, "1/2", 1), aff3ct),
        _case(
            f"{name}-stop",
            f"{what}, 20 iterations at most, early stop, QPSK at 2 dB, int8, 128 words",
            job(1944, "1/2", 128, *stop),
            stopping,
            floats(1944, "1/2", *stop),
        ),
    ]
    for n in LENGTHS:
        for code_rate in RATES:
            if (n, code_rate) == (1944, "1/2"):
                continue
            name, what = f"ldpc-{n}-{code_rate.replace('/', '')}", f"LDPC decoder, 802.11n n={n} r={code_rate}, {ten}"
            cases.append(_case(f"{name}-128", f"{what}, 128 words", job(n, code_rate, 128), floats(n, code_rate)))
            cases.append(_case(f"{name}-8", f"{what}, 8 words", job(n, code_rate, 8)))
            cases.append(_case(f"{name}-1", f"{what}, 1 word", job(n, code_rate, 1)))
    return cases


def _nr() -> list[Case]:
    cases = []
    for base_graph, rows, code_rate in NR:
        shape = (f"base_graph={base_graph}", f"rows={rows}")
        floats = ours("ldpc.nr_kernel", *shape, "words=8", "precision=float32", label="ours, float32")
        srsran = replace(SRSRAN[code_rate], target=times(3) if base_graph == 1 else None)
        aff3ct = [_recorded("AFF3CT 3.0.2 int16 NMS", 29, 43)] if code_rate == "1/3" else []
        what = f"NR BG{base_graph} Z={Z} R={code_rate}, 10 iterations, int8"
        name = f"ldpc-nr-bg{base_graph}-{code_rate.replace('/', '').replace('0.', '0')}"
        for words in (1, 8, 128):
            plural = "1 word" if words == 1 else f"{words} words"
            job = ours("ldpc.nr_kernel", *shape, f"words={words}")
            peers = (srsran if words == 8 else SRSRAN[code_rate], *aff3ct, *([floats] if words == 8 else []))
            cases.append(_case(f"{name}-{words}", f"LDPC decoder alone, {what}, {plural}", job, *peers))
        a, e = NR_BLOCKS[code_rate]
        job = ours("ldpc.nr_decoder", f"a={a}", f"e={e}", "words=8")
        whole = f"NrLdpcDecoder with rate recovery and CRC, {what}, 8 words"
        cases.append(_case(f"{name}-block", whole, job, srsran))
    job = ours("ldpc.nr_decoder", "a=1008", "e=2048", "words=64")
    tensors = [
        sionna("nr_decoder", "k=1024", "n=2048", "words=64", f"update={update}", label=f"Sionna, {update} flooding")
        for update in ("minsum", "boxplus-phi")
    ]
    what = "NrLdpcDecoder, 1008 bits in 2048, 10 iterations, int8, 64 words"
    return [*cases, _case("ldpc-nr-1008-2048", what, job, *tensors)]


LDPC = (*_encoders(), *_wifi(), *_nr())
