"""The endpoints as tools for assistants, by the Model Context Protocol (MCP).

Gradio lists them. A call asks the endpoint on this very server, as any program would, so that it is let in, queued,
counted and cancelled as any other; the door has noted on whose behalf.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr
import httpx
from anyio import CancelScope

from demo import wording
from demo.serving.logs import log_nothing_of_assistants

NOT_INSTALLED = 'GLOSS_MCP asks for tools, which this installation cannot offer. Try: pip install "gradio[mcp]"'
MESSAGES = "/gradio_api/mcp"  # where they are posted, or below
ON_BEHALF = "x-gloss-on-behalf-of"  # header of what a tool asks of this server: the door's secret, and who called
PASSED_ON = (ON_BEHALF, "x-ip-token")  # the second is by whose account a Space borrows a GPU
API = "/gradio_api/call"
OFFERED = ("PingRequest", "ListToolsRequest", "CallToolRequest")  # of the protocol's requests
LONGEST_TOKEN = 128  # characters


def can_be_answered(message: Any) -> bool:
    """Whether a message to the tools that has an id has one that an answer can name. The library would keep silent."""
    return not isinstance(message, dict) or type(message.get("id", 0)) in (int, str)


class NotDone(Exception):
    """Why a call has no result, as the assistant is told."""


def answer_calls(page: gr.Blocks) -> None:
    """In Gradio's place, which asks from a few threads that wait for each other: many calls would wait for ever."""
    log_nothing_of_assistants()
    offered = page.mcp_server_obj
    server = offered.mcp_server

    @server.call_tool()
    async def call(name: str, arguments: dict[str, Any]) -> list:
        endpoint = offered.tool_to_endpoint.get(name)
        if endpoint is None:
            raise NotDone(wording.no_such_tool(name, offered.tool_to_endpoint))
        known = {each["parameter_name"] for each in offered.api_info["named_endpoints"][endpoint]["parameters"]}
        if unknown := arguments.keys() - known:
            raise NotDone(wording.no_such_parameter(min(unknown), sorted(known)))
        context = server.request_context
        headers = {each: context.request.headers[each] for each in PASSED_ON if each in context.request.headers}
        token = progress_token(context.meta)
        last, count = None, 0
        async for result in results(page.local_url, endpoint, arguments, headers):
            last, count = result, count + 1
            if token is not None:
                await context.session.send_progress_notification(token, count, related_request_id=context.request_id)
        text = last if isinstance(last, str) else json.dumps(last, ensure_ascii=False)
        return [offered.types.TextContent(type="text", text=text)]

    # Gradio's prompts and resources would ask its last endpoint from a few threads, on nobody's behalf.
    server.request_handlers = {
        kind: asked for kind, asked in server.request_handlers.items() if kind.__name__ in OFFERED
    }


def progress_token(about: Any) -> str | int | None:
    """By what a call's progress is to be told, if at all: it is said again with each word that is written."""
    token = about and about.progressToken
    return None if isinstance(token, str) and len(token) > LONGEST_TOKEN else token


async def results(
    address: str, endpoint: str, arguments: dict[str, Any], headers: dict[str, str]
) -> AsyncIterator[Any]:
    """What an endpoint streams; whoever closes this cancels it.

    A server need not prove to itself who it is; to read certificates for it would hold up all others. Raises: NotDone.
    """
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=None, verify=False) as client:
        with CancelScope(shield=True):  # what has been asked for is cancelled by whoever listens to it, and hangs up
            joined = await client.post(f"{API}/v2{endpoint}", json=arguments)
            answer = joined.json()
            if joined.is_error:
                raise NotDone(answer["detail"])
            listening = client.build_request("GET", f"{API}{endpoint}/{answer['event_id']}")
            stream = await client.send(listening, stream=True)
        try:
            async for event, data in events(stream.aiter_lines()):
                if event == "error":
                    reason = data.get("error") if isinstance(data, dict) else data
                    raise NotDone(reason or wording.APOLOGY)
                if event in ("generating", "complete") and data:
                    yield data[0]
        finally:
            with CancelScope(shield=True):
                await stream.aclose()


async def events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, Any]]:
    """The server-sent events of a stream."""
    event = ""
    async for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            yield event, json.loads(value)
