"""Training history: a CSV table, and TensorBoard if installed."""

from __future__ import annotations

import csv
from pathlib import Path

from ..errors import warn
from ..io.files.atomic import atomic_path, make_own_folder

FILE_NAME = "training.csv"
TENSORBOARD_FOLDER = "tensorboard"


def write_history(folder: Path, history: list[dict[str, float]]) -> None:
    """Write one row per epoch; missing values are left empty."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    with atomic_path(folder / FILE_NAME) as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in history)


class TensorBoardLog:
    """Writes scalars and pictures to TensorBoard; does nothing without the ``tensorboard`` extra.

    Parameters
    ----------
    folder : Path
        Model folder. Events go to its sub-folder ``tensorboard``.
    run : str
        Sub-folder of ``tensorboard``, one per writer.
    """

    def __init__(self, folder: Path, run: str = "") -> None:
        self._writer = None
        try:
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError:
            return
        try:
            make_own_folder(folder / TENSORBOARD_FOLDER)
            make_own_folder(folder / TENSORBOARD_FOLDER / run)
        except OSError as error:
            message = f"{folder / TENSORBOARD_FOLDER}: TensorBoard gets no events: {error.strerror or error}"
            warn(message)
            return
        self._writer = EventFileWriter(str(folder / TENSORBOARD_FOLDER / run))

    def add(self, row: dict[str, float]) -> None:
        """Write the values of one epoch."""
        if self._writer is None:
            return
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in row.items() if name != "epoch"]
        self._writer.add_event(Event(step=int(row["epoch"]), summary=Summary(value=values)))
        self._writer.flush()

    def add_picture(self, name: str, png: bytes, size: tuple[int, int], epoch: int) -> None:
        """Write a PNG of size (height, width) for an epoch."""
        if self._writer is None:
            return
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        image = Summary.Image(height=size[0], width=size[1], colorspace=3, encoded_image_string=png)
        self._writer.add_event(Event(step=epoch, summary=Summary(value=[Summary.Value(tag=name, image=image)])))
        self._writer.flush()
