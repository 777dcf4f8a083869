"""One teacher-forced pass records what the reference library records step by step while it generates."""

import pytest
import torch

from seq2seq.attention.tape import recording
from tests.parity.pairs import token_ids
from tests.parity.test_model_generation import NUM_MODELS, pair_of

NEW_TOKENS = 7


@pytest.mark.parametrize("seed", range(NUM_MODELS))
def test_a_finished_pair_gives_the_steps_of_generating_it(seed):
    pair = pair_of(seed)
    source = token_ids(1, 6, seed=seed, vocab_size=pair.theirs.config.encoder.vocab_size)
    generated = pair.theirs.generate(
        source,
        max_new_tokens=NEW_TOKENS,
        min_new_tokens=NEW_TOKENS,
        do_sample=False,
        output_attentions=True,
        return_dict_in_generate=True,
    )
    target = generated.sequences[:, :-1]
    for layer in range(pair.theirs.config.decoder.num_hidden_layers):
        with recording(lambda kind, number, wanted=layer: number == wanted) as tape, torch.no_grad():
            pair.ours(input_ids=source, decoder_input_ids=target, use_cache=False)
        assert {number for _, number in tape.weights} == {layer}
        for step, (cross, own) in enumerate(zip(generated.cross_attentions, generated.decoder_attentions, strict=True)):
            torch.testing.assert_close(
                tape.weights["cross", layer][:, :, step], cross[layer][:, :, 0], atol=1e-4, rtol=1e-4
            )
            seen = own[layer][:, :, 0]
            torch.testing.assert_close(
                tape.weights["decoder", layer][:, :, step, : step + 1], seen, atol=1e-4, rtol=1e-4
            )
        if layer < pair.theirs.config.encoder.num_hidden_layers:
            theirs = generated.encoder_attentions[layer]
            torch.testing.assert_close(tape.weights["encoder", layer], theirs, atol=1e-4, rtol=1e-4)
