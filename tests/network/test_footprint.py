"""What a stretch of outputs depends on, against each of its outputs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from starpoly.network.footprint import Footprint

pixels = st.integers(0, 40)


@st.composite
def footprints(draw):
    n = draw(st.integers(1, 6))
    before, after = (tuple(draw(st.lists(pixels, min_size=n, max_size=n))) for _ in range(2))
    return Footprint(draw(st.sampled_from([1, 2, 4])), before, after)


@given(footprint=footprints(), strides=st.integers(1, 3), reach=st.integers(0, 30))
def test_halo_holds_what_every_output_within_reach_depends_on(footprint, strides, reach):
    n, step = len(footprint.before), footprint.spacing
    length = strides * footprint.stride
    seen = [
        (output * step - footprint.before[output % n], output * step + footprint.after[output % n])
        for output in range(-reach // step, (length + reach) // step + 1)
        if -reach - step < output * step <= length - step + reach + step - 1
    ]
    before, after = footprint.halo(reach)
    assert before == max(0, -min(low for low, _ in seen))
    assert after == max(0, max(high for _, high in seen) - length + 1)


def test_known_halos():
    # outputs at 0 and 2 of a stride of 4 pixels that see pixels -3 to 5 alike
    one = Footprint(2, (3, 5), (5, 3))
    assert (one.stride, one.radius) == (4, 5)
    assert one.halo() == (3, 2)
    assert one.halo(4) == (7, 6)
    assert one.mirrored().halo() == (5, 5)
    assert Footprint.of_radius(6, 4, 1).halo(3) == (9, 9)
    assert Footprint.of_radius(0, 2, 2).halo() == (0, 0)
