"""What every ending of a job writes in the same statement: its event and deliveries.

The operations that can end a job append `ENDING_EFFECTS` to their statement. It
reads a CTE named `changed` (id, tenant_id, state, version, delivery). The event's
id follows from the job's id, so a job cannot have a second one.
"""

from typing import Final

from jobs.lifecycle import FINAL, sql_list

ENDING_EFFECTS: Final = f"""
ended AS (
    SELECT * FROM changed WHERE state IN ({sql_list(FINAL)})
), told AS (
    INSERT INTO event (id, job_id, tenant_id, type, job_version)
    SELECT 'evt_' || replace(id::text, '-', ''), id, tenant_id,
           'summary.' || state, version
    FROM ended
    RETURNING id, job_id, tenant_id
), receivers AS (
    -- Without `delivery` every enabled endpoint is told, with it just what it names.
    SELECT ended.id AS job_id, 'webhook' AS kind, w.id AS endpoint_id,
           NULL::text AS receiver, 'endpoint:' || w.id AS lane
    FROM ended JOIN webhook_endpoint w
      ON w.tenant_id = ended.tenant_id AND w.state = 'enabled'
    WHERE ended.delivery IS NULL OR ended.delivery ->> 'endpoint_id' = w.id::text
    UNION ALL
    SELECT id, 'webhook', NULL, delivery ->> 'webhook_url', delivery ->> 'webhook_lane'
    FROM ended WHERE delivery ->> 'webhook_url' IS NOT NULL
    UNION ALL
    SELECT id, 'email', NULL, address, 'mail:' || split_part(address, '@', 2)
    FROM ended
    CROSS JOIN jsonb_array_elements_text(coalesce(delivery -> 'email', '[]')) address
), deliveries AS (
    INSERT INTO delivery (event_id, job_id, tenant_id, kind, endpoint_id, receiver, lane)
    SELECT told.id, told.job_id, told.tenant_id, r.kind, r.endpoint_id, r.receiver, r.lane
    FROM told JOIN receivers r USING (job_id)
)
"""
