"""The page as a host may serve it: below a path, behind a proxy that takes the path away; and drawn by the server."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.panel import finished_fusion, output, start_long_run
from tests.browser.proxy import PREFIX, proxy
from tests.process import started

pytestmark = pytest.mark.browser

ROOT, PYTHON = Path(__file__).parents[2], Path(sys.executable)


@pytest.fixture(scope="module", params=["behind a proxy", "drawn by the server"])
def url(request, tmp_path_factory) -> Iterator[str]:
    """All that a page asks for must lie below this address."""
    log = tmp_path_factory.mktemp("hosting") / "log"
    if request.param == "behind a proxy":
        with started(PYTHON, ROOT, {"GRADIO_ROOT_PATH": PREFIX}, log) as (_, address), proxy(address) as known:
            yield known
    elif shutil.which("node"):
        with started(PYTHON, ROOT, {"GRADIO_SSR_MODE": "true"}, log) as (_, address):
            assert "x-sveltekit-page" in httpx.get(address, timeout=60).headers, "Gradio went on without Node"
            yield address
    else:
        pytest.skip("no Node here, with which Gradio draws a page on the server")


def test_a_fusion_and_its_pictures_then_words_as_they_are_generated_until_cancel_stops_them(visit):
    panel = visit().tab("Fuse")
    assert finished_fusion(panel)
    expect(panel.locator(".js-plotly-plot .heatmaplayer").first).to_be_attached()
    start_long_run(panel)
    expect(output(panel)).not_to_have_text(output(panel).inner_text())
    panel.get_by_role("button", name="Cancel").click()
    expect(panel.locator(".result-notes")).to_contain_text("topped")
