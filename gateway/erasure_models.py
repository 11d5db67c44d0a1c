"""The shape of an erasure's receipt, for the OpenAPI document as `api_models` are."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from gateway.api_models import Shape, SummaryId, Time


class ErasedStore(Shape):
    """What became of a job's contents in one place."""

    store: Literal["postgres", "kafka", "valkey", "logs", "backups"]
    data: list[str]
    state: Annotated[
        Literal["erased", "never_held", "expiring"],
        Field(description="`expiring`: gone with the last backup, by `gone_at`."),
    ]
    gone_at: Time | None


class ErasureView(Shape):
    """The receipt of an erasure; it stays when everything else is gone."""

    model_config = ConfigDict(title="Erasure")

    id: Annotated[str, Field(pattern=r"^era_[0-9a-f]{32}$")]
    object: Literal["erasure"]
    summary_id: SummaryId
    requested_at: Time
    erased_at: Time
    stores: list[ErasedStore]
