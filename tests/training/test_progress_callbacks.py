"""What a training shows of its steps."""

from __future__ import annotations

import io

from tqdm import tqdm

from starpoly.training.progress_callbacks import _BAR


def test_a_bar_of_sixty_columns_has_room_for_itself_and_the_loss():
    out = io.StringIO()
    with tqdm(total=16_000, desc="training", unit="step", bar_format=_BAR, file=out, ncols=60) as bar:
        bar.set_postfix_str("loss 1.234", refresh=False)
        bar.update(9_000)
        bar.refresh()
    shown = out.getvalue().replace("\n", "\r").split("\r")
    assert all(len(line) <= 60 for line in shown)
    last = [line for line in shown if "9000/16000" in line][-1]
    assert "loss 1.234" in last
    _, bar_itself, _ = last.split("|")
    assert len(bar_itself) >= 4
