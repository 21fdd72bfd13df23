"""Code K=7 (133, 171) of rate 1/2: --part decoder, encoder or chain; words of --k bits, --mode of GNU Radio's coder.

The coder is fed from a vector that repeats. The chain adds Gray-labelled 16-QAM, fresh Gaussian noise at --esn0-db, the
soft decision by an 8-bit table, and the bit error rate. What is counted are information bits.
"""

import math

import numpy as np
from gnuradio import analog, blocks, digital, fec, gr
from harness import NOISE_SEED, arguments, measure, report

# GNU Radio reads generators from the lowest bit: these are 133 and 171 (octal), mirrored.
GENERATORS = [109, 79]
MODES = {"streaming": fec.CC_STREAMING, "terminated": fec.CC_TERMINATED, "tail-biting": fec.CC_TAILBITING}
WORDS = 200
BYTE, FLOAT = gr.sizeof_char, gr.sizeof_float


def soft(coded: np.ndarray, rng: np.random.Generator, esn0_db: float) -> np.ndarray:
    """What the decoder takes: 8-bit values about 128, of BPSK."""
    deviation = 10 ** (-esn0_db / 20) / math.sqrt(2)
    received = 2.0 * coded - 1 + deviation * rng.standard_normal(coded.size)
    return np.clip(np.round(128 + 48 * received), 0, 255).astype(np.uint8)


def main() -> None:
    options = arguments("--part", "--k", "--mode", "--esn0-db")
    k, mode, esn0_db = int(options.k), MODES[options.mode], float(options.esn0_db)
    encoder = fec.cc_encoder_make(k, 7, 2, GENERATORS, 0, mode, False)
    decoder = fec.cc_decoder.make(k, 7, 2, GENERATORS, 0, -1, mode, False)
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2, k * WORDS, dtype=np.uint8).tolist()
    top = gr.top_block()
    if options.part == "encoder":
        chain = [blocks.vector_source_b(bits, True), fec.encoder(encoder, BYTE, BYTE), blocks.null_sink(BYTE)]
        top.connect(*chain)
        result = measure(top, chain, options)
        result["count"] *= k / encoder.get_output_size()
    elif options.part == "decoder":
        before, coded = gr.top_block(), blocks.vector_sink_b()
        before.connect(blocks.vector_source_b(bits, False), fec.encoder(encoder, BYTE, BYTE), coded)
        before.run()
        values = soft(np.array(coded.data(), np.uint8), rng, esn0_db)
        chain = [
            blocks.vector_source_b(values.tolist(), True),
            fec.decoder(decoder, BYTE, BYTE),
            blocks.null_sink(BYTE),
        ]
        top.connect(*chain)
        result = measure(top, chain, options)
    else:
        constellation = digital.qam.qam_constellation(16, False, "gray", False)
        constellation = constellation.base() if hasattr(constellation, "base") else constellation
        points = np.array(constellation.points())
        variance = float(np.mean(np.abs(points) ** 2)) / 10 ** (esn0_db / 10)
        constellation.gen_soft_dec_lut(8, variance)
        source = blocks.vector_source_b(bits, True)
        add, meter, level = blocks.add_cc(), fec.ber_bf(False, 100, -7.0), blocks.probe_signal_f()
        modulator = digital.chunks_to_symbols_bc(constellation.points(), 1)
        top.connect(source, fec.encoder(encoder, BYTE, BYTE), blocks.pack_k_bits_bb(4), modulator, (add, 0))
        top.connect(analog.noise_source_c(analog.GR_GAUSSIAN, math.sqrt(variance), NOISE_SEED), (add, 1))
        scaled = [blocks.multiply_const_ff(8.0), blocks.add_const_ff(128.0), blocks.float_to_uchar()]
        decided = [digital.constellation_soft_decoder_cf(constellation), *scaled, fec.decoder(decoder, BYTE, BYTE)]
        top.connect(add, *decided, blocks.pack_k_bits_bb(8), (meter, 0))
        top.connect(source, blocks.pack_k_bits_bb(8), (meter, 1))
        top.connect(meter, level)
        result = measure(top, [meter], options)
        result["count"] *= 8
        result["ber"] = 10 ** level.level()
    report(result)


if __name__ == "__main__":
    main()
