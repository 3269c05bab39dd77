"""Small models with random weights, saved as transformers saves real ones. No network, the same on every machine."""

import torch
from transformers import BertConfig, BertModel, Qwen2Config, Qwen2ForCausalLM

BERT = {
    "vocab_size": 2000,
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "max_position_embeddings": 64,
}
# The shape of Qwen2.5-0.5B in small: grouped key and value heads, biases on q, k and v, tied embeddings.
QWEN = {
    "vocab_size": 2000,
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 384,
    "max_position_embeddings": 64,
    "tie_word_embeddings": True,
}


def bert():
    torch.manual_seed(1)
    return BertModel(BertConfig(**BERT)).eval()


def qwen(**changes):
    torch.manual_seed(2)
    return Qwen2ForCausalLM(Qwen2Config(**(QWEN | changes))).eval()


def save(model, folder, **options):
    model.save_pretrained(folder, **options)
    return folder


def token_ids(model, length=32):
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, model.config.vocab_size, (4, length), generator=generator)


@torch.no_grad()
def outputs(model):
    """Last hidden states, or logits, of fixed tokens."""
    said = model(input_ids=token_ids(model))
    return said.logits if hasattr(said, "logits") else said.last_hidden_state
