"""Text to token ids and back: tokenizers, corpora, tokenized corpora on disk, batches."""
