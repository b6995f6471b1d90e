"""The payloads of scheduled jobs."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, fields
from marshmallow.fields import Field
from marshmallow.validate import OneOf

from muxi.schemas.payloads import JOB_TYPES

__all__ = ["SchedulerJobCreateSchema", "SchedulerJobUpdateSchema"]


class SchedulerJobCreateSchema(Schema):
    """The body of ``POST /scheduler/jobs``."""

    class Meta:
        unknown = INCLUDE

    type: Field[Any] = fields.String(required=True, validate=OneOf(JOB_TYPES))
    schedule: Field[Any] = fields.String(required=True)
    message: Field[Any] = fields.String(required=True)


class SchedulerJobUpdateSchema(Schema):
    """The body of ``PUT /scheduler/jobs/{job_id}``."""

    class Meta:
        unknown = INCLUDE

    message: Field[Any] = fields.String(allow_none=True)
    schedule: Field[Any] = fields.String(allow_none=True)
    title: Field[Any] = fields.String(allow_none=True)
