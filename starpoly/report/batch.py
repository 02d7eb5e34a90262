"""Batch report: examine every image, then write the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..config import ModelSpec
from ..io.console import progress_bar
from ..model_zoo import available_models, find_model
from ..network.storage.folder import load_spec
from .entries import Entry
from .examine import Examined, examine_all
from .page import write_page


def write_report(
    page: Path, entries: Sequence[Entry], specs: Mapping[str, ModelSpec], *, progress: bool = True
) -> list[Examined]:
    """Examine all entries and write the page.

    Parameters
    ----------
    page : Path
        The HTML file.
    entries : sequence of Entry
    specs : mapping of str to ModelSpec
        Candidate models of the entries, by name.
    progress : bool
        Show a bar on a terminal.

    Returns
    -------
    list of Examined
        In the order of the page.

    Raises
    ------
    OutputError
        If the page cannot be written.
    """
    with progress_bar(total=len(entries), shown=progress, desc="report", unit="image", leave=False) as bar:
        examined = examine_all(list(entries), specs, bar.update)
    write_page(page, examined, specs)
    return examined


def specs_for(entries: Sequence[Entry], model: str | None = None) -> dict[str, ModelSpec]:
    """Load the candidate models of the entries, by name.

    Parameters
    ----------
    entries : sequence of Entry
    model : str, optional
        Name or folder of the model. Default: the shipped models named in the entries.

    Raises
    ------
    ModelError
        If there is no such model.
    """
    if model is not None:
        return {model: load_spec(find_model(model))}
    # shipped models only: a name read from a file must not open arbitrary paths
    names = {entry.model for entry in entries if entry.model} & set(available_models())
    return {name: load_spec(find_model(name)) for name in sorted(names)}
