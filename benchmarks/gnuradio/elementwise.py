"""Nine light element-wise blocks between a repeated vector and a null sink."""

from gnuradio import blocks, gr
from harness import arguments, complex_noise, measure, report


def main() -> None:
    options = arguments()
    chain = [
        blocks.vector_source_c(complex_noise(1 << 16), True),
        blocks.multiply_const_cc(0.5 + 0.1j),
        blocks.add_const_cc(0.1 - 0.2j),
        blocks.rotator_cc(0.01),
        blocks.conjugate_cc(),
        blocks.multiply_const_cc(1.5 - 0.1j),
        blocks.add_const_cc(-0.1 + 0.3j),
        blocks.complex_to_mag_squared(1),
        blocks.multiply_const_ff(0.25),
        blocks.add_const_ff(1.0),
        blocks.null_sink(gr.sizeof_float),
    ]
    top = gr.top_block()
    top.connect(*chain)
    report(measure(top, chain, options))


if __name__ == "__main__":
    main()
