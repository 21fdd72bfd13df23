"""Random bytes, 16-QAM (Gray), Gaussian noise at --esn0-db, --decision hard or soft, bit error rate.

The bytes are drawn once and repeated; the noise is drawn afresh for every sample (noise_source_c, not the pool of
fastnoise_source_c). The soft decoder is GNU Radio's fast one, an 8-bit table, with the sign of each value behind it.
"""

import math

import numpy as np
from gnuradio import analog, blocks, digital, fec, gr
from harness import NOISE_SEED, arguments, measure, report


def main() -> None:
    options = arguments("--esn0-db", "--decision")
    # digital.constellation_16qam() is not Gray-labelled; this one is.
    constellation = digital.qam.qam_constellation(16, False, "gray", False)
    constellation = constellation.base() if hasattr(constellation, "base") else constellation
    points = np.array(constellation.points())
    variance = float(np.mean(np.abs(points) ** 2)) / 10 ** (float(options.esn0_db) / 10)
    data = np.random.default_rng(7).integers(0, 256, 1 << 18, dtype=np.uint8)

    top = gr.top_block()
    source = blocks.vector_source_b(data.tolist(), True)
    add, meter, level = blocks.add_cc(), fec.ber_bf(False, 100, -7.0), blocks.probe_signal_f()
    modulator = digital.chunks_to_symbols_bc(constellation.points(), 1)
    top.connect(source, blocks.packed_to_unpacked_bb(4, gr.GR_MSB_FIRST), modulator, (add, 0))
    top.connect(analog.noise_source_c(analog.GR_GAUSSIAN, math.sqrt(variance), NOISE_SEED), (add, 1))
    if options.decision == "hard":
        decided = [digital.constellation_decoder_cb(constellation), blocks.unpacked_to_packed_bb(4, gr.GR_MSB_FIRST)]
    else:
        constellation.gen_soft_dec_lut(8, variance)
        soft, sign = digital.constellation_soft_decoder_cf(constellation), digital.binary_slicer_fb()
        decided = [soft, sign, blocks.unpacked_to_packed_bb(1, gr.GR_MSB_FIRST)]
    top.connect(add, *decided, (meter, 0))
    top.connect(source, (meter, 1))
    top.connect(meter, level)

    result = measure(top, [meter], options)
    result["count"] *= 2  # the meter counts bytes of two symbols each
    report({**result, "ber": 10 ** level.level()})


if __name__ == "__main__":
    main()
