"""What goes wrong while an answer is made and no event tells of: the host reads where, the visitor an apology."""

from __future__ import annotations

import logging

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo import wording

log = logging.getLogger(__name__)


class Failures:
    """In front of all that answers, as ASGI middleware; the server itself would log what was asked for."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except ClientDisconnect:  # nobody is there to be told
            pass
        except Exception:
            log.exception("unexpected error before an answer was complete")
            if not begun:
                await JSONResponse({"detail": wording.APOLOGY}, 500)(scope, receive, send)
