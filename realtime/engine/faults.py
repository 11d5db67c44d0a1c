"""Why the engine refuses a request, in vLLM's words and shape.

    EngineFault             answered with `status` and an error body
      BadRequest            400: the request makes no sense
        PromptTooLong       400: prompt and answer do not fit the context
      ModelUnknown          404
      EngineBusy            503: too many requests wait

No message repeats what the caller sent, but for the name of a model.
"""

from http import HTTPStatus
from typing import Any

_LONGEST_NAME_REPEATED = 200


class EngineFault(Exception):
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    kind = "InternalServerError"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param

    def body(self) -> dict[str, Any]:
        return error_body(str(self), self.kind, status=self.status, param=self.param)


class BadRequest(EngineFault):
    status = HTTPStatus.BAD_REQUEST
    kind = "BadRequestError"


class PromptTooLong(BadRequest):
    def __init__(self, size: str, *, max_tokens: int, context: int) -> None:
        super().__init__(
            f"You passed {size} and requested {max_tokens} output tokens. However, "
            f"the model's maximum context length is {context} tokens. Please reduce "
            "the length of the input prompt or the number of output tokens.",
            param="input_tokens",
        )


class ModelUnknown(EngineFault):
    status = HTTPStatus.NOT_FOUND
    kind = "NotFoundError"

    def __init__(self, model: str) -> None:
        name = model[:_LONGEST_NAME_REPEATED]
        super().__init__(f"The model `{name}` does not exist.", param="model")


class EngineBusy(EngineFault):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    kind = "ServiceUnavailableError"

    def __init__(self) -> None:
        super().__init__("The engine's queue is full. Please try again later.")


def error_body(
    message: str, kind: str, *, status: int, param: str | None = None
) -> dict[str, Any]:
    error = {"message": message, "type": kind, "param": param, "code": int(status)}
    return {"error": error}
