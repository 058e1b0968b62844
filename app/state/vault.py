"""Stores states in pieces: compressed, sealed, and each piece once a workspace.

A piece's id is a keyed digest, so that an id says nothing about a secret in the piece. A piece that replaces another
may be stored as the difference to it; bases are never differences themselves, so a reading follows at most one step.
"""

import hashlib
import secrets
from dataclasses import dataclass
from itertools import islice

import zstandard
from sqlalchemy.orm import Session

from app.core import clock
from app.core.canonical import sha256_hex
from app.core.crypto import Binding, key_ring
from app.core.errors import IntegrityError
from app.state import chunking, pieces_repository, repository
from app.state.manifest import ID_BYTES, Manifest, Part, bases, decode

_LEVEL = 6
_PIECES_AT_ONCE = 64
"""Of 40 KB each, as a rule: a tenth of a second of work."""
_WORTH_A_DIFFERENCE = 0.5


@dataclass(frozen=True)
class Vault:
    """A workspace's pieces."""

    organization_id: str
    workspace_id: str

    def chunk_binding(self, piece: bytes) -> Binding:
        """Return what a piece is bound to."""
        return Binding(self.organization_id, "state_chunk", self.workspace_id, piece.hex())

    def manifest_binding(self, owner: str, digest: str) -> Binding:
        """Return what a manifest is bound to."""
        return Binding(self.organization_id, "state_manifest", owner, digest)

    def key_binding(self) -> Binding:
        """Return what the key of piece ids is bound to."""
        return Binding(self.organization_id, "state_key", self.workspace_id)

    def put(
        self, session: Session, *, owner: str, digest: str, parts: dict[Part, bytes], previous: Manifest | None
    ) -> bytes:
        """Store what is new of ``parts`` and return the sealed manifest, bound to ``owner`` and ``digest``.

        The caller holds ``repository.serialize_writers``. ``previous``: what the workspace stored last, whose pieces
        are bases of differences.
        """
        key = self._key(session)
        named: dict[Part, list[bytes]] = {}
        contents: dict[bytes, bytes] = {}
        likely: dict[bytes, bytes] = {}
        for part, data in parts.items():
            cut = chunking.pieces(data)
            named[part] = [hashlib.blake2b(piece, key=key, digest_size=ID_BYTES).digest() for piece in cut]
            contents.update(zip(named[part], cut, strict=True))
            if previous is not None:
                likely.update(bases(named[part], previous.ids(part)))
        known = pieces_repository.bases_of(session, self.workspace_id, contents.keys() | set(likely.values()))
        new = {piece: data for piece, data in contents.items() if piece not in known}
        # A difference to a difference would be a chain: its base is taken instead.
        roots = {piece: known[likely[piece]] or likely[piece] for piece in new if likely.get(piece) in known}
        base_contents = self._contents(session, set(roots.values()))
        # A batch after the other: whose transaction does nothing for seconds while others wait is taken for frozen.
        waiting = iter(new.items())
        while batch := list(islice(waiting, _PIECES_AT_ONCE)):
            rows = [self._row(piece, data, roots.get(piece), base_contents) for piece, data in batch]
            pieces_repository.add(session, rows)
        manifest = Manifest({part: tuple(ids) for part, ids in named.items()})
        return key_ring().seal(manifest.encode(), self.manifest_binding(owner, digest))

    def _row(
        self, piece: bytes, data: bytes, base: bytes | None, base_contents: dict[bytes, bytes]
    ) -> dict[str, object]:
        packed = zstandard.ZstdCompressor(level=_LEVEL).compress(data)
        if base is not None:
            difference = zstandard.ZstdCompressor(level=_LEVEL, dict_data=_dictionary(base_contents[base])).compress(
                data
            )
            if len(difference) <= len(packed) * _WORTH_A_DIFFERENCE:
                packed = difference
            else:
                base = None
        return {
            "organization_id": self.organization_id,
            "workspace_id": self.workspace_id,
            "id": piece,
            "base_id": base,
            "sealed": key_ring().seal(packed, self.chunk_binding(piece)),
            "created_at": clock.now(),
        }

    def open_manifest(self, sealed: bytes, *, owner: str, digest: str) -> Manifest:
        """Return a manifest. Raises ``IntegrityError`` when it was altered or is another owner's."""
        return decode(key_ring().open(sealed, self.manifest_binding(owner, digest)))

    def get(self, session: Session, manifest: Manifest, part: Part) -> bytes:
        """Return a part. Raises ``IntegrityError`` when a piece is lost or was altered."""
        ids = manifest.ids(part)
        contents = self._contents(session, set(ids))
        return b"".join(contents[piece] for piece in ids)

    def get_content(self, session: Session, manifest: Manifest, digest: str) -> bytes:
        """Return the state. Raises ``IntegrityError`` also when it does not match ``digest``."""
        data = self.get(session, manifest, "content")
        if sha256_hex(data) != digest:
            raise IntegrityError("The stored state does not match its digest: it was altered in the store.")
        return data

    def _contents(self, session: Session, ids: set[bytes]) -> dict[bytes, bytes]:
        if not ids:
            return {}
        rows = pieces_repository.sealed(session, self.workspace_id, ids)
        missing = {base for base, _ in rows.values() if base is not None} - rows.keys()
        rows |= pieces_repository.sealed(session, self.workspace_id, missing) if missing else {}
        if lost := (ids | missing) - rows.keys():
            raise IntegrityError(f"{len(lost)} of the state's pieces are not in the store.", lost=len(lost))
        ring, found = key_ring(), dict[bytes, bytes]()
        plain = zstandard.ZstdDecompressor()
        for piece, (base, data) in rows.items():
            if base is None:
                found[piece] = plain.decompress(ring.open(data, self.chunk_binding(piece)))
        for piece, (base, data) in rows.items():
            if base is not None:
                decompressor = zstandard.ZstdDecompressor(dict_data=_dictionary(found[base]))
                found[piece] = decompressor.decompress(ring.open(data, self.chunk_binding(piece)))
        return found

    def collect(self, session: Session) -> int:
        """Delete the pieces that nothing names any more; return how many.

        Takes ``repository.serialize_writers``, so that no writer counts on a piece that goes. Raises
        ``IntegrityError`` and deletes nothing when a manifest does not open: what it names is not known.
        """
        repository.serialize_writers(session, self.workspace_id)
        needed: set[bytes] = set()
        for owner, digest, sealed in pieces_repository.manifests(session, self.workspace_id):
            needed |= self.open_manifest(sealed, owner=owner, digest=digest).every_id()
        stored = pieces_repository.every_piece(session, self.workspace_id)
        needed |= {base for piece, base in stored.items() if base is not None and piece in needed}
        unneeded = stored.keys() - needed
        pieces_repository.remove(session, self.workspace_id, unneeded)
        return len(unneeded)

    def _key(self, session: Session) -> bytes:
        sealed = pieces_repository.key(session, self.workspace_id)
        if sealed is not None:
            return key_ring().open(sealed, self.key_binding())
        made = secrets.token_bytes(32)
        pieces_repository.add_key(
            session,
            workspace_id=self.workspace_id,
            organization_id=self.organization_id,
            sealed=key_ring().seal(made, self.key_binding()),
        )
        return made


def _dictionary(data: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(data, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
