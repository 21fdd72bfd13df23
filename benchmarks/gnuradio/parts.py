"""One block of the PHY between a source and a null sink: --part mapper, soft, hard, awgn, scrambler, ofdm, prefix.

Sources repeat what they hold; the noise is drawn afresh. The soft decision is GNU Radio's fast one, an 8-bit table.
`ofdm` is an inverse FFT of 1024 and a prefix of 72 samples, `prefix` an FFT behind a prefix that is cut off: no pilots
are put in or taken out.
"""

import numpy as np
from gnuradio import analog, blocks, digital, fft, gr
from harness import NOISE_SEED, arguments, complex_noise, measure, report

BYTE, FLOAT, COMPLEX = gr.sizeof_char, gr.sizeof_float, gr.sizeof_gr_complex
FFT, CP = 1024, 72
DATA_PER_OFDM_SYMBOL = 8200 / 14  # as in ours: 600 subcarriers, two of 14 symbols with a pilot on every sixth


def constellation() -> "digital.constellation":
    found = digital.qam.qam_constellation(16, False, "gray", False)  # constellation_16qam() is not Gray-labelled
    return found.base() if hasattr(found, "base") else found


def main() -> None:
    options = arguments("--part")
    points, top = constellation(), gr.top_block()
    labels = np.random.default_rng(0).integers(0, 16, 1 << 16, dtype=np.uint8).tolist()
    noise = np.array(complex_noise(1 << 16))
    received = (np.array(points.points())[labels] + 0.1 * noise).tolist()
    scale = 1.0
    if options.part == "mapper":
        chain = [blocks.vector_source_b(labels, True), digital.chunks_to_symbols_bc(points.points(), 1)]
        sink = blocks.null_sink(COMPLEX)
    elif options.part == "soft":
        points.gen_soft_dec_lut(8, 0.1)
        chain = [blocks.vector_source_c(received, True), digital.constellation_soft_decoder_cf(points)]
        sink, scale = blocks.null_sink(FLOAT), 0.25
    elif options.part == "hard":
        chain = [blocks.vector_source_c(received, True), digital.constellation_decoder_cb(points)]
        sink = blocks.null_sink(BYTE)
    elif options.part == "awgn":
        add = blocks.add_cc()
        chain = [blocks.vector_source_c(received, True), add]
        top.connect(analog.noise_source_c(analog.GR_GAUSSIAN, 0.3, NOISE_SEED), (add, 1))
        sink = blocks.null_sink(COMPLEX)
    elif options.part == "scrambler":
        bits = np.random.default_rng(0).integers(0, 2, 1 << 16, dtype=np.uint8).tolist()
        chain = [blocks.vector_source_b(bits, True), digital.additive_scrambler_bb(0x8A, 0x7F, 7)]
        sink = blocks.null_sink(BYTE)
    elif options.part == "ofdm":
        source = blocks.vector_source_c(noise.tolist(), True, FFT)
        prefixer = digital.ofdm_cyclic_prefixer(FFT, FFT + CP, 0, "")
        chain = [source, fft.fft_vcc(FFT, False, (), True, 1), prefixer]
        sink, scale = blocks.null_sink(COMPLEX), DATA_PER_OFDM_SYMBOL / (FFT + CP)
    else:
        source = blocks.vector_source_c(complex_noise(16 * (FFT + CP)), True)
        chain = [source, blocks.keep_m_in_n(COMPLEX, FFT, FFT + CP, CP), blocks.stream_to_vector(COMPLEX, FFT)]
        chain.append(fft.fft_vcc(FFT, True, (), True, 1))
        sink, scale = blocks.null_sink(COMPLEX * FFT), DATA_PER_OFDM_SYMBOL
    top.connect(*chain, sink)
    result = measure(top, [*chain, sink], options)
    report({**result, "count": result["count"] * scale})


if __name__ == "__main__":
    main()
