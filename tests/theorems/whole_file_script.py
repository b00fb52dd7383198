"""Answers a file in child processes, each of which dies at another file operation.

Arguments: a folder, and how many operations later the next child dies. After every death the output is absent or whole;
when the work goes on, it has the bytes of a work that nothing stopped, and nothing else is left but what the next work
removes. Prints how many deaths there were.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import torch

from tests.theorems.killing import killed
from tests.theorems.save_script import TEXTS, model
from textvae.mapping import map_file
from textvae.mapping.formats import records
from textvae.text.tokenizers import WordConfig


def main(home: Path, stride: int) -> None:
    torch.set_num_threads(1)
    records.PART_ROWS = 2
    made = model(0, WordConfig(vocab_size=30).train(TEXTS))
    file = home / "in.csv"
    file.write_text("id,text\n" + "".join(f"{row},{text}\n" for row, text in enumerate([*TEXTS, "", *TEXTS])))
    folder, alone = home / "folder", home / "alone"
    for ending, npy in ((".csv", False), (".parquet", True)):
        shutil.rmtree(alone, ignore_errors=True)
        map_file(made, file, alone / f"out{ending}", npy=npy)
        expected = {path.name: path.read_bytes() for path in alone.iterdir()}
        deaths, last = 0, 1
        while True:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / "notes.txt").write_text("mine")
            out = folder / f"out{ending}"
            if not killed(lambda: map_file(made, file, out, npy=npy), folder, last):  # noqa: B023
                break
            deaths, last = deaths + 1, last + stride
            for name, content in expected.items():
                assert not (folder / name).exists() or (folder / name).read_bytes() == content, (name, last)
            if not (out.exists() and not list(folder.glob("*parts"))):
                map_file(made, file, out, npy=npy)
            found = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
            assert found == {**expected, "notes.txt": b"mine"}, (sorted(found), last)
            # A temporary folder that died before its marker was written is empty, and nobody can say whose it is.
            left = [path for path in folder.iterdir() if path.is_dir()]
            assert all(not any(path.iterdir()) or path.name.startswith(".textvae-") for path in left), left
        print(deaths)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
