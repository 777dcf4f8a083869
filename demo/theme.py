"""How the page looks: one accent on paper, system fonts only, so nothing is fetched from anywhere else."""

from __future__ import annotations

import os

import gradio as gr

from components.palette import ACCENT
from demo.files import ASSETS, script

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

BLUE = gr.themes.Color(
    name="gloss",
    c50="#f0f6fb",
    c100="#dcebf6",
    c200="#b9d7ec",
    c300="#8bbbdd",
    c400="#5a9dcc",
    c500="#{:02x}{:02x}{:02x}".format(*ACCENT),
    c600="#24699f",
    c700="#1d5583",
    c800="#18456a",
    c900="#143956",
    c950="#0c243a",
)


def theme() -> gr.themes.Base:
    """Gradio's plainest theme, with hairlines instead of boxes."""
    return gr.themes.Base(
        primary_hue=BLUE,
        secondary_hue=BLUE,
        neutral_hue=gr.themes.colors.stone,
        text_size=gr.themes.sizes.text_md,
        radius_size=gr.themes.sizes.radius_md,
        font=SANS,
        font_mono=MONO,
    ).set(
        background_fill_primary="#fdfdfc",
        background_fill_primary_dark="#161413",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_padding="0px",
        block_title_text_size="*text_sm",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_600",
        input_background_fill="white",
        input_background_fill_dark="*neutral_900",
        input_border_width="1px",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_border_color="*primary_600",
        button_secondary_background_fill="transparent",
        button_secondary_background_fill_dark="transparent",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_hover_dark="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_secondary_text_color="*neutral_800",
        button_secondary_text_color_dark="*neutral_200",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
        checkbox_label_border_width="1px",
        checkbox_label_border_color="*neutral_300",
        checkbox_label_border_color_dark="*neutral_700",
        checkbox_border_width="1px",
        color_accent="*primary_600",
        color_accent_soft="*primary_50",
        color_accent_soft_dark="*primary_900",
    )


def launch_options() -> dict:
    """What `Blocks.launch` needs to show the page as it is meant, and to keep visitors' texts their own."""
    return {
        "theme": theme(),
        "css_paths": sorted(ASSETS.glob("css/*.css")),
        "js": script("page"),
        "footer_links": ["api", "settings"],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": None if "GRADIO_SSR_MODE" in os.environ else False,  # Node would answer in place of /readyz
    }
