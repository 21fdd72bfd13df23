"""GNU Radio's LDPC code n=1800 k=902: --part encoder, decoder or chain, --iterations at most; counts information bits.

The decoder alone is fed with noise that no word is right in, so that it takes all iterations. The chain is bits, the
encoder, Gray-labelled 16-QAM, fresh Gaussian noise at --esn0-db, the soft decision by an 8-bit table, the decoder and
the bit error rate; the decoder's scale is the fastest at which it leaves no errors at 9 dB.
"""

import math
from pathlib import Path

import numpy as np
from gnuradio import analog, blocks, digital, fec, gr
from harness import NOISE_SEED, arguments, measure, report

ALIST = Path(gr.prefix()) / "share/gnuradio/fec/ldpc/n_1800_k_0902_gap_28.alist"
SIGMA, SCALE = 0.5, 0.3
WORDS = 32
BYTE, FLOAT = gr.sizeof_char, gr.sizeof_float


def main() -> None:
    options = arguments("--part", "--iterations", "--esn0-db")
    encoder = fec.ldpc_encoder.make(str(ALIST))
    decoder = fec.ldpc_decoder.make(str(ALIST), SIGMA, int(options.iterations or 20))
    k, n = encoder.get_input_size(), encoder.get_output_size()
    rng = np.random.default_rng(3)
    source = blocks.vector_source_b(rng.integers(0, 2, k * WORDS, dtype=np.uint8).tolist(), True)
    top = gr.top_block()
    if options.part == "encoder":
        chain = [source, fec.encoder(encoder, BYTE, BYTE), blocks.null_sink(BYTE)]
        top.connect(*chain)
        result = measure(top, chain, options)
        report({**result, "count": result["count"] * k / n})
    elif options.part == "decoder":
        noise = blocks.vector_source_f(rng.standard_normal(n * WORDS).tolist(), True)
        chain = [noise, fec.decoder(decoder, FLOAT, BYTE), blocks.null_sink(BYTE)]
        top.connect(*chain)
        report(measure(top, chain, options))
    else:
        constellation = digital.qam.qam_constellation(16, False, "gray", False)
        constellation = constellation.base() if hasattr(constellation, "base") else constellation
        points = np.array(constellation.points())
        variance = float(np.mean(np.abs(points) ** 2)) / 10 ** (float(options.esn0_db) / 10)
        constellation.gen_soft_dec_lut(8, variance)
        add, meter, level = blocks.add_cc(), fec.ber_bf(False, 100, -7.0), blocks.probe_signal_f()
        modulator = digital.chunks_to_symbols_bc(constellation.points(), 1)
        top.connect(source, fec.encoder(encoder, BYTE, BYTE), blocks.pack_k_bits_bb(4), modulator, (add, 0))
        top.connect(analog.noise_source_c(analog.GR_GAUSSIAN, math.sqrt(variance), NOISE_SEED), (add, 1))
        soft = [digital.constellation_soft_decoder_cf(constellation), blocks.multiply_const_ff(SCALE)]
        top.connect(add, *soft, fec.decoder(decoder, FLOAT, BYTE), blocks.pack_k_bits_bb(8), (meter, 0))
        top.connect(source, blocks.pack_k_bits_bb(8), (meter, 1))
        top.connect(meter, level)
        result = measure(top, [meter], options)
        report({**result, "count": 8 * result["count"], "ber": 10 ** level.level()})


if __name__ == "__main__":
    main()
