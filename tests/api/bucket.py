"""A store with the wire shape of S3: enough of PUT, GET with ranges, HEAD and DELETE for a client."""

from __future__ import annotations

import hashlib
from email.utils import formatdate
from typing import Self

from aiohttp import web


class Bucket:
    """Keeps objects in memory; ``failing`` makes it answer 503 to everything."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.failing = False
        self.unsigned = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=100_000_000)
        app.router.add_route("*", "/{name:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def _answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if not request.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256"):
            self.unsigned += 1
        if self.failing:
            return web.Response(status=503)
        if request.method == "POST" and "delete" in request.query:
            return self._delete_many(name, await request.text())
        if request.method == "PUT":
            self.objects[name] = await request.read()
            return web.Response(headers={"ETag": self._tag(name)})
        if name not in self.objects:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        if request.method == "DELETE":
            del self.objects[name]
            return web.Response(status=204)
        return self._read(request, name)

    def _delete_many(self, bucket: str, asked: str) -> web.Response:
        keys = [escaped.split("</Key>")[0] for escaped in asked.split("<Key>")[1:]]
        for key in keys:
            self.objects.pop(f"{bucket}/{key}", None)
        deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        return web.Response(text=f"<DeleteResult>{deleted}</DeleteResult>", content_type="application/xml")

    def _read(self, request: web.Request, name: str) -> web.Response:
        body, status = self.objects[name], 200
        headers = {
            "ETag": self._tag(name),
            "Last-Modified": formatdate(usegmt=True),
            "Accept-Ranges": "bytes",
        }
        if request.method == "HEAD":
            return web.Response(headers={**headers, "Content-Length": str(len(body))})
        wanted = request.http_range
        if wanted.start is not None or wanted.stop is not None:
            start, stop, _ = wanted.indices(len(body))
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
            body, status = body[start:stop], 206
        return web.Response(body=body, status=status, headers=headers)

    def _tag(self, name: str) -> str:
        return f'"{hashlib.md5(self.objects[name], usedforsecurity=False).hexdigest()}"'
