"""What schemathesis cannot read from the description: who may do what, and rules no schema can tell.

The environment says who is asking: POINTSMAN_RIGHT is the most that one may, POINTSMAN_READ_ONLY is set for a
key without console rights, and POINTSMAN_OWN_KEY is the id of the key itself, which must outlive the run.
"""

import json
import os
import re

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

RIGHTS = ["public", "signed_in", "own", "read", "operate", "admin"]
RIGHT = os.environ["POINTSMAN_RIGHT"]
READ_ONLY = "POINTSMAN_READ_ONLY" in os.environ
OWN_KEY = os.environ.get("POINTSMAN_OWN_KEY")

# Rules between members, or between a member and what is stored or what time it is: of these operations a
# request may be refused over these members although each one by itself is as its schema says.
BEYOND_SCHEMAS = {
    # a token, or a name with a password, and not both
    "POST /api/v1/auth/login": set(),
    # a cursor is one that was given out, in the same order
    "GET /api/v1/users": {"cursor"},
    "GET /api/v1/users/{id}/keys": {"cursor"},
    "GET /api/v1/keys": {"cursor"},
    "GET /api/v1/providers": {"cursor"},
    # a path of this host
    "GET /api/v1/auth/oidc/start": {"return_to"},
    # which provider, where none is set up
    "POST /api/v1/users/{id}/identities": {"issuer"},
    # what a batch names exists, once; some members are changed one at a time, and a url suits each provider
    "POST /api/v1/users/batch": {"ids", "ids[", "filter", "change."},
    "POST /api/v1/keys/batch": {"ids", "ids[", "filter"},
    "POST /api/v1/providers/batch": {"ids", "ids[", "filter", "change.", "base_url"},
    # what is renewed ends in the future
    "POST /api/v1/keys/{id}/renew": {"expires_at"},
    "POST /api/v1/users/{id}/renew": {"expires_at"},
    # from is before to, and not more periods lie between them than an answer has
    "GET /api/v1/statistics": {"from", "to"},
    "GET /api/v1/availability": {"from", "to"},
    # whether http and private addresses may be is for `allow_private_network` to say; a text may be no URL
    # a schedule has both ends, and they differ
    "POST /api/v1/providers": {"base_url", "schedule."},
    "PATCH /api/v1/providers/{id}": {"base_url", "schedule."},
    # a tier names a service or a threshold, and no two the same
    "PUT /api/v1/prices/{model}": {"tiers[", "effective_from"},
    "PUT /api/v1/providers/{id}/prices/{model}": {"tiers[", "effective_from"},
    # a raise ends in the future, and not every kind of account has every window
    "POST /api/v1/quotas/{kind}/{id}/raise": {"expires_at", "window"},
    "POST /api/v1/quotas/{kind}/{id}/reset": {"window"},
    # the key must exist
    "POST /api/v1/route/simulate": {"key_id", "model"},
    # a zone is one of a list that grows
    "PATCH /api/v1/settings": {"time_zone"},
    # a user's own key is bounded by the user
    "POST /api/v1/users/{id}/keys": {"groups", "limits."},
    "PATCH /api/v1/keys/{id}": {"groups", "limits."},
    # any object is a price list, but one without a price is none
    "POST /api/v1/prices/import": set(),
}


@schemathesis.check
def rights(ctx, response, case):
    """Who lacks the right that a route takes is refused; who has it is not, save over what is another's."""
    needed = case.operation.definition.raw["x-right"]
    status = response.status_code
    if status == 405 or case.method.lower() != case.operation.method.lower():
        return
    told = f"{RIGHT} asks for {needed}: {status}"
    changes = case.method.upper() not in ("GET", "HEAD")
    about_itself = needed in ("public", "signed_in")
    if RIGHTS.index(RIGHT) < RIGHTS.index(needed) or (READ_ONLY and changes and not about_itself):
        assert status in (401, 403), told
    elif status == 403:
        assert needed in ("signed_in", "own") and RIGHT != "admin", told


@schemathesis.hook
def filter_case(context, case):
    """The key that is asked with neither removes nor ends itself."""
    asked = str((case.path_parameters or {}).get("id"))
    return not case.operation.path.startswith("/api/v1/keys/{id}") or not re.fullmatch(rf"\+?0*{OWN_KEY}", asked)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Leaves out what is meant to be as it is."""
    if isinstance(failure, RejectedPositiveData) and response.status_code == 422:
        return not ruled_otherwise(case.operation.label, response)
    if isinstance(failure, AcceptedNegativeData):
        return not has_amount_as_number(case.body)
    return True


def ruled_otherwise(operation, response):
    answer = json.loads(response.content)
    if answer["code"] == "idempotency_key_reused":
        return True  # those that are made up come more than once
    if operation not in BEYOND_SCHEMAS:
        return False
    fields = [error["field"] for error in answer.get("errors", [])]
    rules = BEYOND_SCHEMAS[operation]
    return all(any(field == rule or (rule[-1] in "[." and field.startswith(rule)) for rule in rules) for field in fields)


def has_amount_as_number(body):
    """Money is described as text, so that nobody makes floats of it; a number is read by its digits."""
    if isinstance(body, list):
        return any(map(has_amount_as_number, body))
    if not isinstance(body, dict):
        return False
    is_amount = lambda name: "usd" in name or name in ("amount", "cost_multiplier")
    is_number = lambda value: isinstance(value, (int, float)) and not isinstance(value, bool)
    return any((is_amount(name) and is_number(value)) or has_amount_as_number(value) for name, value in body.items())
