"""Sentence embeddings by transformers: what a model says with the weights it is given."""

import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer

SENTENCES = [
    "The ferry leaves at seven and takes the long way around the islands.",
    "A boat departs early in the morning and circles the archipelago.",
    "Interest rates were left unchanged for the third month in a row.",
    "The central bank decided not to move its key rate.",
    "She peeled the apples while the dough rested under a towel.",
    "How do I reset the password of my account?",
    "I have forgotten my login and cannot get in.",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
    "The goalkeeper saved two penalties in the last ten minutes.",
    "Rust never sleeps, and neither does the maintenance crew of this bridge.",
    "Patients who slept less than six hours recovered more slowly.",
    "no",
]


def model_from(model_dir, weights=None):
    """The model in FP32 with its own weights, or built from its configuration with `weights` (a dict of tensors)."""
    if weights is None:
        return AutoModel.from_pretrained(model_dir, dtype=torch.float32, local_files_only=True).eval()
    model = AutoModel.from_config(AutoConfig.from_pretrained(model_dir, local_files_only=True), dtype=torch.float32)
    return load(model, weights)


def load(model, weights):
    """Loads a dict of tensors. Every parameter must be there; buffers that are computed may be too many."""
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not missing, f"weights that the table lacks: {missing}"
    assert all(name.endswith("position_ids") for name in unexpected), f"weights that the model lacks: {unexpected}"
    return model.eval()


@torch.no_grad()
def embed(model, model_dir, sentences=SENTENCES):
    """Mean of the last hidden states over the tokens of each sentence, of length 1."""
    tokenizer = AutoTokenizer.from_pretrained(model_dir, local_files_only=True)
    batch = tokenizer(sentences, padding=True, truncation=True, return_tensors="pt")
    hidden = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    mask = batch["attention_mask"][..., None].to(hidden.dtype)
    return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)


def similarities(model_dir, weights):
    """Cosine of each sentence's embedding with the one of the FP32 model."""
    reference = embed(model_from(model_dir), model_dir)
    return (reference * embed(model_from(model_dir, weights), model_dir)).sum(1)
