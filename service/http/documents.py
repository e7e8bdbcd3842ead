"""The caller's own documents: uploaded, listed, indexed again and deleted."""

from __future__ import annotations

import errno
from typing import Annotated

from fastapi import APIRouter, File, Form, Path, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from service.documents import Document, Status
from service.http.bodies import Page
from service.http.callers import Authenticated, Caller
from service.http.problems import Problem, not_found
from service.http.services import Services, Shared
from service.uploads import Refused, name_and_kind

router = APIRouter(prefix="/api", tags=["Documents"])

MOST_FILES = 50

DocumentId = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of the document.", examples=["3f6c1d"])
]
Files = Annotated[
    list[UploadFile],
    File(
        min_length=1, max_length=MOST_FILES, description="The files, with their names.", examples=[["# Returns\n\n…"]]
    ),
]
Collection = Annotated[
    str, Form(pattern=r"^[A-Za-z0-9_-]{1,100}$", description="Collection that they go into.", examples=["default"])
]


class Progress(BaseModel):
    """How far the indexing of a document is."""

    done: int = Field(description="Passages that are embedded.", examples=[640])
    total: int = Field(description="Passages that are to be: those that are new or changed.", examples=[1300])


class DocumentBody(BaseModel):
    """A document."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="Its id.", examples=["3f6c1d"])
    name: str = Field(description="Its file name.", examples=["returns.md"])
    kind: str = Field(description="Its format.", examples=["markdown"])
    collection: str = Field(description="Collection that it is in.", examples=["default"])
    bytes: int = Field(description="Size of the file.", examples=[2048])
    status: Status = Field(description="How far it is.", examples=["indexed"])
    progress: Progress | None = Field(
        None, description="How far it is while it is `indexing`, once its passages are known.", examples=[None]
    )
    error: str | None = Field(description="Why it could not be indexed, or has to wait.", examples=[None])
    passages: int | None = Field(None, description="How many passages answers can draw on.", examples=[7])
    created: float = Field(description="When it came, in seconds since 1970.", examples=[1790000000.0])
    updated: float = Field(description="When its status or its progress changed last.", examples=[1790000001.0])


@router.post("/documents", status_code=202)
async def upload_documents(
    files: Files, shared: Shared, caller: Authenticated, collection: Collection = "default"
) -> Page[DocumentBody]:
    """Add documents that your answers may draw on. They are indexed in the background."""
    try:
        for file in files:
            name_and_kind(file)
    except Refused as error:
        raise Problem(415, str(error), code="unsupported", param="files") from None
    taken = []
    for file in files:
        try:
            taken.append(await shared.documents.take(file, caller.owner, collection))
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise Problem(507, "there is no room left for documents: delete some", code="disk_full") from None
    return Page(items=[DocumentBody.model_validate(document) for document in taken])


@router.get("/documents")
async def list_documents(shared: Shared, caller: Authenticated) -> Page[DocumentBody]:
    """List your documents, the latest first."""
    return Page(items=await _bodies(await shared.documents.all(caller.owner), shared))


@router.get("/documents/{document_id}")
async def read_document(document_id: DocumentId, shared: Shared, caller: Authenticated) -> DocumentBody:
    """Say how far a document is."""
    [body] = await _bodies([await _document(document_id, shared, caller)], shared)
    return body


@router.delete("/documents/{document_id}", status_code=204)
async def delete_document(document_id: DocumentId, shared: Shared, caller: Authenticated) -> None:
    """Delete a document. No answer draws on it any more."""
    await shared.documents.delete(await _document(document_id, shared, caller))


@router.post("/documents/{document_id}/reindex", status_code=202)
async def index_again(document_id: DocumentId, shared: Shared, caller: Authenticated) -> DocumentBody:
    """Index a document anew."""
    await shared.documents.index_again([await _document(document_id, shared, caller)])
    return DocumentBody.model_validate(await _document(document_id, shared, caller))


@router.post("/documents/reindex", status_code=202)
async def index_all_again(shared: Shared, caller: Authenticated) -> Page[DocumentBody]:
    """Index all your documents anew."""
    await shared.documents.index_again(await shared.documents.all(caller.owner))
    return Page(items=[DocumentBody.model_validate(each) for each in await shared.documents.all(caller.owner)])


async def _document(document_id: str, shared: Services, caller: Caller) -> Document:
    document = await shared.documents.get(document_id, caller.owner)
    if document is None:
        raise not_found("document")
    return document


async def _bodies(documents: list[Document], shared: Services) -> list[DocumentBody]:
    passages = await shared.documents.passages(documents) if documents else {}
    return [
        DocumentBody.model_validate(each).model_copy(
            update={"passages": passages.get(each.id, 0), "progress": _progress(each)}
        )
        for each in documents
    ]


def _progress(document: Document) -> Progress | None:
    if document.status != "indexing" or document.embedded is None or document.to_embed is None:
        return None
    return Progress(done=document.embedded, total=document.to_embed)
