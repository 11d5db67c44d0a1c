"""POST /v1/summaries: the one endpoint through which texts come in."""

from fastapi import APIRouter, Request, Response

from gateway.authentication import authenticate

router = APIRouter()


@router.post("/v1/summaries")
async def create_summary(request: Request) -> Response:
    await authenticate(request)
    return Response()
