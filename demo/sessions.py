"""What a visitor's page has changed, kept for each session over what is everybody's.

Gradio's own sessions begin with a copy of every widget's configuration, for deep links of its kind, which are not used
here: 0.7 MB and half of a busy server's time, as a program that names no session begins one with each request.
"""

from __future__ import annotations

from collections import ChainMap
from types import SimpleNamespace

import gradio as gr
from gradio.state_holder import SessionState, StateHolder


class Sessions(StateHolder):
    """The sessions of one page; those used least recently are forgotten beyond its `state_session_capacity`."""

    def __init__(self, blocks: gr.Blocks):
        super().__init__()
        self.set_blocks(blocks)

    def __getitem__(self, session_hash: str) -> SessionState:
        if session_hash not in self.session_data:
            self.session_data[session_hash] = Session(self.blocks)
        return super().__getitem__(session_hash)


class Session(SessionState):
    def __init__(self, blocks: gr.Blocks):
        shared = blocks.default_config
        super().__init__(SimpleNamespace(default_config=shared, blocks=()))  # of no widget a configuration
        self.blocks_config.blocks = ChainMap({}, shared.blocks)
        self.blocks_config.fns = shared.fns
        self.blocks_config.config_for_block = lambda *_: {}
