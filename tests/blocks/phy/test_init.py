import subprocess
import sys

import pytest

import lgvsc_flow.blocks.channel
import lgvsc_flow.blocks.phy


@pytest.mark.parametrize("package", [lgvsc_flow.blocks.phy, lgvsc_flow.blocks.channel])
def test_every_public_name_is_there_and_no_other(package):
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    assert dir(package) == sorted(package.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'QamModulater'"):
        _ = package.QamModulater


def test_the_phy_needs_no_torch():
    code = (
        "import sys, lgvsc_flow.blocks.phy as phy, lgvsc_flow.blocks.channel as channel\n"
        "[getattr(m, n) for m in (phy, channel) for n in m.__all__]\n"
        "print([m for m in ('torch', 'cv2', 'av', 'skimage') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
