"""Blobs and programs that clients store before they hand in a job."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import trio

from blockedge_node import programs
from blockedge_node.api import models
from blockedge_node.api.backend import NotFound
from blockedge_node.backend.parts import Parts
from blockedge_node.core.ids import ZERO_HASH, Root
from blockedge_node.core.job import MAX_WASM
from blockedge_node.errors import ConfigError, PeerError
from blockedge_node.wire.manifest import Manifest


class ContentPart(Parts):
    async def put_blob(self, chunks: AsyncIterator[bytes]) -> models.Stored:
        size = 0
        with self.blobs.upload() as upload:
            async for chunk in chunks:
                size += len(chunk)
                await trio.to_thread.run_sync(upload.write, chunk)
            root = await trio.to_thread.run_sync(upload.finish)
        return models.Stored(root=root, size=size)

    async def put_program(self, spec: models.ProgramSpec) -> models.Program:
        params = spec.params
        if spec.name is not None:
            manifest, params = self._built_in(spec)
        else:
            manifest = Manifest(wasm=Root(spec.wasm or ZERO_HASH), argv=spec.argv or ("program",))
            size = self.blobs.size(manifest.wasm)
            if size is None:
                raise NotFound(f"no uploaded module has the root 0x{manifest.wasm.hex()}")
            if size > MAX_WASM:
                raise PeerError(f"the module has {size} bytes; the limit is {MAX_WASM}")
        files = {path: Root(root) for path, root in spec.files.items()} or manifest.files
        for path, root in files.items():
            if not self.blobs.has(root):
                raise NotFound(f"file {path!r}: no blob has the root 0x{root.hex()}")
        manifest = replace(
            manifest,
            fuel=spec.fuel,
            files=files,
            memory=spec.memory or manifest.memory,
            stdout_max=manifest.stdout_max if spec.stdout_max is None else spec.stdout_max,
            merge=spec.merge or manifest.merge,
            argv=spec.argv or manifest.argv,
        ).bind(params)
        root = await self.keep(manifest.encode())
        return models.Program(program=root, engine=manifest.engine, fuel=manifest.fuel, merge=manifest.merge)

    def _built_in(self, spec: models.ProgramSpec) -> tuple[Manifest, dict[str, str]]:
        """A guest's manifest, with all that it names stored, and its parameters, defaults included."""
        if spec.name not in programs.GUESTS:
            raise NotFound(f"there is no program {spec.name!r}; known are {', '.join(programs.GUESTS)}")
        guest = programs.GUESTS[spec.name]
        try:
            params = guest.chosen(spec.params) if spec.argv is None else dict(spec.params)
        except ConfigError as error:
            raise PeerError(str(error)) from error
        loaded = programs.load(guest.name)
        for data in guest.files().values():
            self.blobs.put(data)
        return Manifest(wasm=self.blobs.put(loaded.wasm), **loaded.fields), params

    def programs(self) -> Sequence[models.BuiltIn]:
        rows = []
        for guest in programs.GUESTS.values():
            size = len(guest.wasm())
            rows.append(models.BuiltIn(name=guest.name, summary=guest.summary, size=size))
        return rows
