"""BERTScore (Zhang et al., arXiv 1904.09675): how well the words of two texts match each other in a model's eyes.

Without weights by frequency and without rescaling, as papers mostly report it: for each token the largest
cosine to a token of the other text; precision and recall are the means of these, without the special tokens.
"""

from collections.abc import Sequence

import torch
from transformers import AutoModel, AutoTokenizer


@torch.no_grad()
def f1(given: Sequence[str], wanted: Sequence[str], model: str) -> list[float]:
    """One number a pair. `model` is a folder or hub id, and after a colon the layer (roberta-large:17); the last if
    none is said."""
    name, _, layer = model.partition(":")
    try:
        tokenizer, net = AutoTokenizer.from_pretrained(name), AutoModel.from_pretrained(name).eval()
    except OSError as error:
        raise ValueError(f"--bertscore {model}: {str(error).strip().splitlines()[0]}") from error
    longest = min(int(getattr(net.config, "max_position_embeddings", 514)) - 2, 4096)

    def seen(text: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Unit vectors of the tokens, and which of them are no special ones."""
        ids = tokenizer(text, truncation=True, max_length=longest, return_special_tokens_mask=True, return_tensors="pt")
        special = ids.pop("special_tokens_mask")[0].bool()
        states = net(**ids, output_hidden_states=True).hidden_states[int(layer) if layer else -1][0]
        return torch.nn.functional.normalize(states.float(), dim=-1), ~special

    scores = []
    for one, other in zip(given, wanted, strict=True):
        if not one.strip() or not other.strip():
            scores.append(0.0)
            continue
        (mine, own), (theirs, real) = seen(one), seen(other)
        cosines = mine @ theirs.T
        precision = cosines.max(dim=1).values[own].mean()
        recall = cosines.max(dim=0).values[real].mean()
        scores.append(float(2 * precision * recall / (precision + recall)))
    return scores
