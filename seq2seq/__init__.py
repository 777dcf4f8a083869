"""Gloss's models: encoder-decoders of pretrained stacks, and everything needed to run, watch and train them.

Usable without the page, in a notebook or a script. One legend for the axes in every shape comment of this package:

    B  batch                T  target length (queries)      D  width of a hidden state
    H  attention heads      S  source length (keys)         d  width of one head, D / H
    V  vocabulary           L  layers                       K  beams

The floor is `trace` and `checkpoints`, then `config`, `attention` and `generation`; `models` stand on those,
`tasks` join models with `tokenizers`, `engine` owns tasks, `training` makes the checkpoints that we ship.
"""
