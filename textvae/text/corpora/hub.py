"""Data sets of the Hugging Face hub, or saved on disk, read by the `datasets` library."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from textvae.disk import at_home, is_folder, sha256_of
from textvae.errors import DataError
from textvae.text.corpora.base import SPLITS, CorpusCard, Example, Split
from textvae.text.corpora.tables import label_text

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


class HubCorpus(CorpusCard):
    """A data set on the hub, or in a folder that `save_to_disk` wrote or that `load_dataset` can read.

    Attributes:
        dataset: name on the hub (``fancyzhx/ag_news``) or a folder.
        subset: the data set's configuration, if it has several.
        revision: a commit or tag of the data set, to be independent of later changes.
        splits_of_source: the data set's name for each split, such as ``{train = "train", valid = "validation"}``.
        text_column: column with the text.
        label_column: column with the label; class numbers are replaced by their names.
        root: the folder against which a relative `dataset` folder is resolved.
    """

    kind: Literal["hub"] = "hub"
    dataset: str = Field(min_length=1)
    subset: str | None = None
    revision: str | None = None
    splits_of_source: dict[Split, str] = Field(default={"train": "train"})
    text_column: str = "text"
    label_column: str | None = None
    root: str | None = None

    descriptive: ClassVar[frozenset[str]] = CorpusCard.descriptive | {"root"}

    @classmethod
    def write_example(cls, folder: Path) -> dict[str, object]:
        import datasets

        rows = {"text": ["Good, really.", "Bad."], "label": ["pos", "neg"]}
        data = datasets.Dataset.from_dict(rows)
        datasets.DatasetDict({"train": data, "validation": data}).save_to_disk(folder / "saved")
        splits = {"train": "train", "valid": "validation"}
        return {"kind": "hub", "dataset": "saved", "label_column": "label", "splits_of_source": splits}

    @property
    def has_labels(self) -> bool:
        return self.label_column is not None

    @property
    def own_splits(self) -> tuple[Split, ...]:
        return tuple(split for split in SPLITS if split in self.splits_of_source)

    def seen_from(self, folder: Path) -> HubCorpus:
        return self if self.root is not None else self.model_copy(update={"root": str(folder)})

    def local_folder(self) -> Path | None:
        """The folder that `dataset` names; None if it is a name on the hub."""
        folder = at_home(self.root or "") / at_home(self.dataset)
        return folder if is_folder(folder) else None

    @property
    def hub_dataset(self) -> str:
        return "" if self.local_folder() is not None else self.dataset

    def read_source(self, split: Split) -> Iterator[Example]:
        from datasets import ClassLabel

        rows = _load(str(self.local_folder() or self.dataset), self.subset, self.revision)
        theirs = self.splits_of_source[split]
        if isinstance(rows, dict):
            if theirs not in rows:
                raise DataError(f"Data set '{self.dataset}' has no split '{theirs}'; it has {', '.join(rows)}.")
            rows = rows[theirs]
        columns = list(rows.column_names)
        for column in (self.text_column, self.label_column):
            if column is not None and column not in columns:
                raise DataError(
                    f"Data set '{self.dataset}' has no column '{column}'; its columns are {', '.join(columns)}."
                )
        feature = rows.features.get(self.label_column) if self.label_column else None
        names = feature.names if isinstance(feature, ClassLabel) else None
        # Read in slices, because one Arrow read for each row would be slower than all further processing.
        for start in range(0, len(rows), 1000):
            part = rows[start : start + 1000]
            labels = part[self.label_column] if self.label_column else [None] * len(part[self.text_column])
            for text, label in zip(part[self.text_column], labels, strict=True):
                if names is not None and label is not None:
                    # On the hub, -1 means "no label".
                    label = names[label] if label >= 0 else None
                if not isinstance(text, str | None):
                    raise DataError(
                        f"Data set '{self.dataset}', column '{self.text_column}' holds {type(text).__name__}, expected "
                        "strings; choose another text_column."
                    )
                yield Example(text or "", label_text(label))

    def source_fingerprint(self) -> str:
        folder = self.local_folder()
        if folder is not None:
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            sums = [f"{path.relative_to(folder)} {sha256_of(path)}" for path in files]
            return hashlib.sha256("\n".join(sums).encode()).hexdigest()
        return f"{self.dataset} {self.subset} {self.revision}"


@lru_cache(maxsize=2)
def _load(dataset: str, subset: str | None, revision: str | None) -> DatasetDict | Dataset:
    import datasets

    try:
        folder = Path(dataset)
        if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
            return datasets.load_from_disk(dataset)
        return datasets.load_dataset(dataset, subset, revision=revision)
    except Exception as error:
        # The library raises many types of errors here: network, names, permissions, formats.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"Data set '{dataset}' cannot be read ({reason}); check the name, the subset and the connection to the hub."
        ) from None
