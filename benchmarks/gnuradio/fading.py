"""Fading as a sum of sinusoids: flat (--paths 1), or frequency selective with so many paths one sample apart."""

from gnuradio import blocks, channels, gr
from harness import arguments, measure, report

DOPPLER = 1e-4  # over the sample rate


def main() -> None:
    options = arguments("--sinusoids", "--paths")
    sinusoids, paths = int(options.sinusoids), int(options.paths)
    if paths == 1:
        fading = channels.fading_model(sinusoids, DOPPLER, False, 4.0, 1)
    else:
        delays, magnitudes = [float(i) for i in range(paths)], [paths**-0.5] * paths
        fading = channels.selective_fading_model(sinusoids, DOPPLER, False, 4.0, 1, delays, magnitudes, paths + 8)
    chain = [blocks.null_source(gr.sizeof_gr_complex), fading, blocks.null_sink(gr.sizeof_gr_complex)]
    top = gr.top_block()
    top.connect(*chain)
    report(measure(top, chain[::2], options))


if __name__ == "__main__":
    main()
