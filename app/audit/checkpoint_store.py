"""Checkpoints as they lie in the artifact store: found by listing, whatever the database says."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.artifacts import ArtifactRef, artifact_store
from app.core.chain_check import StoredCheckpoint
from app.core.checkpoints import Checkpoint, Trust
from app.core.crypto import MasterKeyError
from app.core.errors import IntegrityError, NotFound

KIND = "audit_checkpoint"
_LOOKED_AT = 50
"""Of so many, from the newest down, one must be ours for the older ones to be trusted through it."""


def owner_of(sequence: int, position: int) -> str:
    """Return the name that a checkpoint has in its key, so that a listing tells what is there."""
    return f"{sequence:010d}-{position:015d}"


@dataclass(frozen=True)
class ListedCheckpoint:
    """One entry of the listing."""

    sequence: int
    position: int
    reference: ArtifactRef

    def read(self) -> StoredCheckpoint:
        """Read the document; None where it is not to be opened, or is none. Raises what an absent store raises."""
        try:
            document = Checkpoint.parse(artifact_store().get(self.reference))
        except (IntegrityError, MasterKeyError, NotFound, ValueError):
            document = None
        return StoredCheckpoint(
            sequence=self.sequence, position=self.position, digest=self.reference.digest, checkpoint=document
        )

    def names(self, document: Checkpoint) -> bool:
        """Whether the document is what the entry says."""
        said = (self.reference.organization_id, self.sequence, self.position, self.reference.digest)
        return said == (document.organization_id, document.sequence, document.position, document.digest)


def found_in_store(organization_id: str) -> list[ListedCheckpoint]:
    """Return an organization's checkpoints by sequence. What has the name of none is the first, as number 0."""
    found = []
    for reference in artifact_store().of_kind(organization_id, KIND):
        sequence, _, position = reference.owner.partition("-")
        is_named = sequence.isdecimal() and position.isdecimal()
        found.append(ListedCheckpoint(int(sequence) if is_named else 0, int(position) if is_named else 0, reference))
    return sorted(found, key=lambda one: (one.sequence, one.position, one.reference.digest))


def newest_valid(listed: Sequence[ListedCheckpoint], trust: Trust) -> Checkpoint | None:
    """Return the newest checkpoint that a trusted key has signed; from then on all that it names are trusted."""
    for one in reversed(listed[-_LOOKED_AT:]):
        document = one.read().checkpoint
        if document is not None and one.names(document) and trust.accepts(document):
            return document
    return None
