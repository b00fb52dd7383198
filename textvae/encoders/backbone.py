"""Loading pretrained encoders with Hugging Face transformers: weights from safetensors only, and no code of a model's.

Transformers gets a temporary folder with copies of the files that are known to hold no code, from which entries that
name code are removed, and links to the weights.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from textvae.config import MAX_LAYERS, MAX_WIDTH
from textvae.disk import shown_path
from textvae.encoders.backbone_files import LENGTHS, BackboneFiles
from textvae.errors import ConfigError, ModelError
from textvae.layers import at_least_float32, pool, valid_positions

Pooling = Literal["mean", "first", "max"]

_LONGEST = 512
"""Tokens that are read of a text where a model says nothing."""


class BackboneReader:
    """The tokenizer of a pretrained encoder: text to the ids that it reads.

    Args:
        source: the files.
        positions: the most tokens that the model has positions for; None where it has no such limit.

    Attributes:
        longest: the most tokens of a text, special ones counted: the model's own maximum.
        pad_id: the id that fills rows up.

    Raises:
        ConfigError: transformers is not installed.
        ModelError: there is no tokenizer that can be read.
    """

    def __init__(self, source: BackboneFiles, positions: int | None) -> None:
        transformers = _transformers()
        with _opened(source) as folder, _errors(source, "tokenizer"):
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **_SAFE)
        table = source.table(LENGTHS)
        limits = (table.get("max_seq_length"), self._tokenizer.model_max_length, positions)
        self.longest = min((int(n) for n in limits if isinstance(n, int) and 0 < n < 10**6), default=_LONGEST)
        self.lowercase = table.get("do_lower_case") is True
        self.pad_id = self._tokenizer.pad_token_id or 0
        self.size = len(self._tokenizer)

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, with the special tokens of the encoder, cut at `longest`. A row has one id or more."""
        if not texts:
            return []
        given = [text.lower() for text in texts] if self.lowercase else list(texts)
        found = self._tokenizer(given, truncation=True, max_length=self.longest, padding=False)["input_ids"]
        return [row or [self.pad_id] for row in found]


def load_backbone(source: BackboneFiles) -> tuple[BackboneReader, nn.Module]:
    """A pretrained encoder: its tokenizer, and its module in float32 and in evaluation mode.

    The module has its weights, or new ones where `source` has none. The random state is left as it is.

    Raises:
        ConfigError: transformers is not installed.
        ModelError: it is damaged, incomplete, or of a kind that cannot be used.
    """
    auto = _transformers().AutoModel
    with torch.random.fork_rng(devices=[]), _opened(source) as folder, _errors(source, "model"):
        torch.manual_seed(0)
        config = _config(source, folder)
        if source.weights:
            module, found = auto.from_pretrained(
                folder, config=config, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **_SAFE
            )
            # A pooler is not used, and many sentence encoders are saved without one.
            lacking = sorted(name for name in found["missing_keys"] if "pooler." not in name)
            if lacking:
                raise ModelError(f"the weights of {_what(source)} lack '{lacking[0]}'; get the model again.")
        else:
            module = auto.from_config(config, trust_remote_code=False, dtype=torch.float32)
    reader = BackboneReader(source, _positions(module, config))
    words = module.get_input_embeddings().num_embeddings
    if reader.size > words:
        raise ModelError(
            f"the tokenizer of {_what(source)} has {reader.size} tokens, and its weights are for {words}: they do not "
            "belong together; get the model again."
        )
    return reader, module.eval()


def width_of(source: BackboneFiles) -> int:
    """H, the features of a state, from the settings alone.

    Raises:
        ConfigError: transformers is not installed.
        ModelError: the settings are damaged or of a kind that cannot be used.
    """
    with _opened(source) as folder, _errors(source, "model"):
        return int(_config(source, folder).hidden_size)


def last_layer(module: nn.Module, source: BackboneFiles) -> nn.Module:
    """The last transformer layer: the end of the longest list of modules.

    Raises:
        ModelError: there is no list of modules.
    """
    lists = [part for part in module.modules() if isinstance(part, nn.ModuleList) and len(part)]
    if not lists:
        raise ModelError(
            f"{_what(source)} has no list of layers, so its last layer is not known; use "
            'trainable = "none" or trainable = "all".'
        )
    return max(lists, key=len)[-1]


def unused_parts(module: nn.Module) -> list[nn.Module]:
    """The parts that features do not depend on: the pooler, which some models have behind the last layer."""
    return [part for name, part in module.named_children() if name == "pooler"]


def padded(
    rows: Sequence[Sequence[int]], width: int, pad_id: int, device: torch.device
) -> tuple[Int[Tensor, "B T"], Int[Tensor, " B"]]:
    """Rows of ids as one tensor, filled up to `width`, and their lengths."""
    ids = [[*row, *[pad_id] * (width - len(row))] for row in rows]
    lengths_B = torch.tensor([len(row) for row in rows], device=device)
    return torch.tensor(ids, device=device).view(len(rows), width), lengths_B


def pooled_states(
    module: nn.Module, ids_BT: Int[Tensor, "B T"], lengths_B: Int[Tensor, " B"], pooling: Pooling
) -> Float[Tensor, "B H"]:
    """The last hidden states of each row, pooled over its tokens, special ones among them; float32 or wider."""
    mask_BT = valid_positions(lengths_B, ids_BT.shape[1]).long()
    states_BTH = at_least_float32(module(input_ids=ids_BT, attention_mask=mask_BT, return_dict=True).last_hidden_state)
    return states_BTH[:, 0] if pooling == "first" else pool(states_BTH, lengths_B, pooling)


_SAFE = {"trust_remote_code": False, "local_files_only": True}


def _transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise ConfigError(
            "a pretrained encoder needs the transformers package, which is missing; install it with "
            "`pip install textvae[pretrained]`."
        ) from None
    return transformers


def _what(source: BackboneFiles) -> str:
    return f"the pretrained encoder '{shown_path(source.name)}'"


def _config(source: BackboneFiles, folder: Path) -> Any:
    """The settings of the model, as transformers has them.

    Raises:
        ModelError: they are of a kind that cannot be used.
    """
    config = _transformers().AutoConfig.from_pretrained(folder, **_SAFE)
    width, layers = config.hidden_size, config.num_hidden_layers
    if not (type(width) is int and 0 < width <= MAX_WIDTH and type(layers) is int and 0 < layers <= MAX_LAYERS):
        raise ModelError(
            f"{_what(source)} has hidden_size {width} and {layers} layers, expected at most {MAX_WIDTH} and "
            f"{MAX_LAYERS}; give a smaller one."
        )
    if config.is_encoder_decoder:
        raise ModelError(f"{_what(source)} has a decoder too; give a model that is an encoder alone.")
    config.use_cache = False
    return config


def _positions(module: nn.Module, config: Any) -> int | None:
    """The tokens that a module has positions for. Some begin to count behind the position of padding."""
    try:
        most = config.max_position_embeddings
    except AttributeError:
        return None
    embeddings = [part for name, part in module.named_modules() if name.endswith("position_embeddings")]
    before = [part.padding_idx + 1 for part in embeddings if isinstance(part, nn.Embedding) and part.padding_idx]
    return most - max(before, default=0) if isinstance(most, int) else None


@contextmanager
def _opened(source: BackboneFiles) -> Iterator[Path]:
    """A temporary folder with the files, without entries that name code, and links to the weights."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in source.files.items():
            if file.endswith(".json") and file != "tokenizer.json":
                content = json.dumps(_without_code(source.table(file), source)).encode()
            (folder / file).write_bytes(content)
        for file, path in source.weights.items():
            (folder / file).symlink_to(path.resolve())
        yield folder


def _without_code(table: dict[str, Any], source: BackboneFiles) -> dict[str, Any]:
    """A table of JSON without entries that name Python code or kernels on the hub, at any depth."""
    if table.get("quantization_config"):
        raise ModelError(f"{_what(source)} is quantized; give one with weights of 16 or 32 bits.")
    return {
        name: _without_code(value, source) if isinstance(value, dict) else value
        for name, value in table.items()
        if name != "auto_map" and not name.endswith(("_implementation", "_implementation_internal"))
    }


@contextmanager
def _errors(source: BackboneFiles, part: str) -> Iterator[None]:
    """Inside, transformers prints nothing, and what it raises is a `ModelError` of one sentence."""
    logging = _transformers().utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.set_verbosity_error()
            logging.disable_progress_bar()
            yield
    except (ModelError, ConfigError, MemoryError):
        raise
    except Exception as error:  # of any type: transformers, tokenizers and safetensors raise their own
        reason = (str(error).strip().splitlines() or [""])[0][:200].rstrip(". ")
        raise ModelError(
            f"the {part} of {_what(source)} cannot be read ({type(error).__name__}: {reason}); it is damaged, or of a "
            "kind that transformers does not know: get it again, or give another."
        ) from None
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
