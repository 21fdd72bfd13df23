"""Sionna's PHY on the CPU, one thread: `python parts.py mapper order=16 --seconds 1`, in the Python that has Sionna.

A part is a function that prepares everything, and returns a call and the elements that one call handles. Prints one
line of JSON; needs nothing of this project.
"""

import argparse
import json
import time

import sionna.phy
import torch
from sionna.phy.channel import AWGN
from sionna.phy.fec.conv import ConvEncoder, ViterbiDecoder
from sionna.phy.fec.crc import CRCEncoder
from sionna.phy.fec.interleaving import RandomInterleaver, RowColumnInterleaver
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
from sionna.phy.fec.scrambling import Scrambler
from sionna.phy.mapping import Demapper, Mapper
from sionna.phy.ofdm import OFDMDemodulator, OFDMModulator

BURST = 16384
FFT, CP, OFDM_SYMBOLS = 1024, 72, 28
DATA_PER_OFDM_SYMBOL = 8200 / 14  # as in ours: 600 subcarriers, two of 14 symbols with a pilot on every sixth
ESN0_DB = 9.0


def bits(*shape):
    return torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(0)).float()


def noise(*shape):
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))


def mapper(order):
    m = order.bit_length() - 1
    block, burst = Mapper("qam", m), bits(BURST * m)
    return lambda: block(burst), BURST


def demapper(order, method):
    m = order.bit_length() - 1
    y, variance = noise(BURST), torch.tensor(0.03)
    block = Demapper({"max-log": "maxlog", "exact": "app"}[method], "qam", m)
    return lambda: block(y, variance), BURST


def decision(order):
    y, variance = noise(BURST), torch.tensor(0.03)
    block = Demapper("maxlog", "qam", order.bit_length() - 1, hard_out=True)
    return lambda: block(y, variance), BURST


def awgn():
    block, x, variance = AWGN(), noise(BURST), torch.tensor(0.1)
    return lambda: block(x, variance), BURST


def ofdm_modulator():
    block, x = OFDMModulator(CP), noise(1, OFDM_SYMBOLS, FFT)
    return lambda: block(x), OFDM_SYMBOLS * DATA_PER_OFDM_SYMBOL


def ofdm_demodulator():
    block, x = OFDMDemodulator(FFT, 0, CP), noise(1, OFDM_SYMBOLS * (FFT + CP))
    return lambda: block(x), OFDM_SYMBOLS * DATA_PER_OFDM_SYMBOL


def crc():
    block, burst = CRCEncoder("CRC24A"), bits(54, 300)
    return lambda: block(burst), burst.numel()


def scrambler():
    block, burst = Scrambler(keep_batch_constant=True), bits(1, BURST)
    return lambda: block(burst), BURST


def interleaver(kind):
    size = 8 * 1944
    block = RowColumnInterleaver(1944) if kind == "rows" else RandomInterleaver(seed=1)
    burst = bits(1, size)
    return lambda: block(burst), size


def _convolutional():
    return ConvEncoder(gen_poly=("1011011", "1111001"), terminate=True)


def encoder(k, words):
    block, burst = _convolutional(), bits(words, k)
    return lambda: block(burst), burst.numel()


def viterbi(k, words):
    encode = _convolutional()
    values = 4.0 * (encode(bits(words, k)) - 0.5)
    block = ViterbiDecoder(encoder=encode, method="soft_llr")
    return lambda: block(values), words * k


def nr_encoder(k, n, words):
    block, burst = LDPC5GEncoder(k, n), bits(words, k)
    return lambda: block(burst), burst.numel()


def nr_decoder(k, n, words, update, iterations=10):
    """Flooding, all iterations, on noise that no word is right in."""
    block = LDPC5GDecoder(LDPC5GEncoder(k, n), cn_update=update, num_iter=iterations)
    llrs = 2 * noise(words, n).real.contiguous()
    return lambda: block(llrs), words * k


def nr_chain(k, n, words, update):
    """Random bits, the code, 16-QAM, AWGN, LLRs, the decoder, bit error rate."""
    encode, mapped, demapped = (
        LDPC5GEncoder(k, n, num_bits_per_symbol=4),
        Mapper("qam", 4),
        Demapper("maxlog", "qam", 4),
    )
    decode, channel = LDPC5GDecoder(encode, cn_update=update, num_iter=10), AWGN()
    variance, generator = torch.tensor(10 ** (-ESN0_DB / 10)), torch.Generator().manual_seed(0)
    nr_chain.errors = nr_chain.bits = 0

    def work():
        sent = torch.randint(0, 2, (words, k), generator=generator).float()
        found = decode(demapped(channel(mapped(encode(sent)), variance), variance))
        nr_chain.errors += int((found != sent).sum())
        nr_chain.bits += sent.numel()

    return work, words * k


def value(text):
    try:
        return int(text)
    except ValueError:
        return text


def timed(call, elements, seconds):
    for _ in range(2):
        call()
    calls, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.process_time() - cpu < seconds:
        call()
        calls += 1
    return {"count": calls * elements, "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part")
    parser.add_argument("settings", nargs="*", help="arguments of the part, as in order=16")
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU seconds to measure")
    options = parser.parse_args()
    torch.set_num_threads(1)
    part = globals()[options.part]
    settings = (text.partition("=") for text in options.settings)
    with torch.inference_mode():
        result = timed(*part(**{key: value(text) for key, _, text in settings}), options.seconds)
    if getattr(part, "bits", 0):
        result["ber"] = part.errors / part.bits
    print(json.dumps({**result, "versions": {"sionna": sionna.__version__, "torch": torch.__version__}}))


if __name__ == "__main__":
    main()
