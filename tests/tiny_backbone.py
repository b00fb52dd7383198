"""A BERT of two layers and eight features with random weights, as a folder that Hugging Face transformers reads."""

from __future__ import annotations

import atexit
import json
import shutil
import string
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "the", "is", "good", "bad"]
LETTERS = string.ascii_lowercase + string.digits + string.punctuation
VOCABULARY = [*SPECIAL, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
"""With all letters, so that every word of a test is known by its letters at least."""

CONFIG: dict[str, Any] = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 96,
    "type_vocab_size": 2,
    "vocab_size": len(VOCABULARY),
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}


def write_backbone(folder: Path, *, seed: int = 0, longest: int = 64) -> Path:
    """Write the folder, without a pooler, as many sentence encoders are saved.

    Args:
        folder: where.
        seed: of the weights.
        longest: tokens that it reads of a text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    hidden, inner = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (CONFIG["vocab_size"], hidden),
        "embeddings.position_embeddings.weight": (CONFIG["max_position_embeddings"], hidden),
        "embeddings.token_type_embeddings.weight": (2, hidden),
        "embeddings.LayerNorm": (hidden,),
    }
    for layer in range(CONFIG["num_hidden_layers"]):
        here = f"encoder.layer.{layer}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= {f"{here}.attention.{name}.weight": (hidden, hidden), f"{here}.attention.{name}.bias": (hidden,)}
        shapes |= {f"{here}.intermediate.dense.weight": (inner, hidden), f"{here}.intermediate.dense.bias": (inner,)}
        shapes |= {f"{here}.output.dense.weight": (hidden, inner), f"{here}.output.dense.bias": (hidden,)}
        shapes |= {f"{here}.attention.output.LayerNorm": (hidden,), f"{here}.output.LayerNorm": (hidden,)}
    weights = {}
    for name, shape in shapes.items():
        drawn = torch.randn(shape, generator=generator) * 0.5
        weights |= {f"{name}.weight": drawn + 1, f"{name}.bias": drawn} if name.endswith("Norm") else {name: drawn}
    save_file({name: value.clone() for name, value in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CONFIG))
    _tokenizer().save(str(folder / "tokenizer.json"))
    names = {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}
    about = {f"{name}_token": SPECIAL[place] for name, place in names.items()}
    about |= {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": CONFIG["max_position_embeddings"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": longest, "do_lower_case": False}))
    return folder


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


@cache
def tiny_backbone() -> str:
    """The folder of one that all tests of this process share; they only read it."""
    folder = Path(tempfile.mkdtemp(prefix="textvae-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return str(write_backbone(folder / "tiny-bert"))
