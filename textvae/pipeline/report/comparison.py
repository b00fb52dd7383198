"""The page of `textvae compare`: several runs side by side, in the style of the report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from textvae.disk import at_home, machine_errors, write_text
from textvae.errors import ConfigError
from textvae.pipeline.report import plots
from textvae.pipeline.report.build import environment, rendered


def write_page(found: dict[str, Any], path: Path) -> Path:
    """Write the page of a comparison to a new file.

    Args:
        found: from `textvae.pipeline.comparing.compare`.
        path: ends in .html.

    Returns:
        the path.

    Raises:
        ConfigError: the name has another ending, or something is there.
        MachineError: the disk is full or broken.
    """
    from markupsafe import Markup

    path = at_home(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--page is {path}, expected a name that ends in .html.")
    if os.path.lexists(path):
        raise ConfigError(f"{path} exists, and textvae does not overwrite it; choose another --page, or move it away.")
    names = [run["folder"] for run in found["runs"]]
    curves = {}
    if plots.available():
        for row in found["series"]:
            curves[row["title"]] = Markup(plots.compared_curves(row["title"], row["of"], names))
    with machine_errors(path):
        write_text(path, rendered(environment(), "comparison.html", found=found, curves=curves))
    return path
