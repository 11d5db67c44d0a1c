"""What is wrong with a request itself: every such refusal, with its status and remedy.

The first half of the table in `problems`: transport, identity, JSON, fields, texts and
receivers. Words only; who raises which is the matter of the modules that check.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Problem:
    status: int
    title: str
    remedy: str
    retryable: bool = False


_TRANSPORT: Final = {
    "malformed_request": Problem(
        400, "The request is malformed", "Correct the request line, headers or framing."
    ),
    "duplicate_header": Problem(
        400, "A header was sent twice", "Send this header once: {header}."
    ),
    "uri_too_long": Problem(
        414, "The address is too long", "Keep path and query under {limit} bytes."
    ),
    "not_found": Problem(
        404,
        "There is nothing here",
        "Check the path and the id. Ids of other tenants are answered the same way.",
    ),
    "method_not_allowed": Problem(
        405, "The method is not allowed here", "Use a method that `Allow` names."
    ),
    "unsupported_media_type": Problem(
        415,
        "The body's type is not supported",
        "Send application/json in UTF-8.",
    ),
    "unsupported_encoding": Problem(
        415,
        "The body's encoding is not supported",
        "Send the body without Content-Encoding.",
    ),
    "body_too_slow": Problem(
        408, "The body came too slowly", "Send the body at once.", retryable=True
    ),
    "body_too_large": Problem(
        413, "The body is too large", "Keep the body under {limit} bytes."
    ),
}

_IDENTITY: Final = {
    "unauthorized": Problem(
        401,
        "No valid API key",
        "Send `Authorization: Bearer sk_live_...` with a key that lives. "
        "`precis admin key create` makes one.",
    ),
    "key_in_query": Problem(
        401,
        "API keys do not belong into addresses",
        "Send the key in `Authorization: Bearer`, and replace it: "
        "addresses end up in logs.",
    ),
}

_JSON: Final = {
    "empty_body": Problem(400, "The body is empty", "Send a JSON object."),
    "invalid_encoding": Problem(
        400, "The body is not UTF-8", "Send UTF-8 without a byte order mark."
    ),
    "malformed_json": Problem(400, "The body is not JSON", "Send one JSON object."),
    "duplicate_member": Problem(
        400, "A JSON object names a member twice", "Name each member once."
    ),
    "json_too_complex": Problem(
        400,
        "The JSON is nested too deep or has too many members",
        "Send an object of the documented shape.",
    ),
    "number_out_of_range": Problem(
        422, "A number is out of range", "Send a number within the stated limits."
    ),
    "invalid_character": Problem(
        422,
        "A string holds a character that is none",
        "Leave out U+0000 and lone surrogates.",
    ),
}

_FIELDS: Final = {
    "unknown_field": Problem(
        422, "A field is unknown", "Leave it out; `errors` points to it."
    ),
    "missing_field": Problem(
        422, "A field is missing", "Add it; `errors` names its place."
    ),
    "wrong_type": Problem(
        422, "A value has the wrong type", "Correct it; `errors` points to it."
    ),
    "invalid_value": Problem(
        422, "A value is not allowed", "Correct it; `errors` points to it."
    ),
    "unknown_parameter": Problem(
        422, "A query parameter is unknown", "Leave it out; `errors` names it."
    ),
    "invalid_parameter": Problem(
        422,
        "A query parameter is not allowed so",
        "Correct what `errors` names, and give it once: limit is 1 to 100, wait 0 to "
        "60, status one of the six, a time as in RFC 3339 with its + written %2B.",
    ),
    "invalid_cursor": Problem(
        400, "The cursor is not ours", "Begin again without a cursor."
    ),
    "deadline_out_of_range": Problem(
        422,
        "The deadline is out of range",
        "Name a time in the future, at most 72 hours ahead.",
    ),
    "too_many_endpoints": Problem(
        409, "There are too many webhook endpoints", "Delete one that is not used."
    ),
    "not_replayable": Problem(
        409, "The delivery cannot be sent again", "Read the job itself instead."
    ),
}

_TEXT: Final = {
    "text_empty": Problem(
        422, "The text is empty", "Send a text in which a reader would see something."
    ),
    "not_text": Problem(
        422,
        "This is not a text",
        "It looks like the bytes of a file. Send the text inside it.",
    ),
    "text_too_long": Problem(
        413,
        "The text is too long",
        "Keep it within {limit} code points; it has {size}.",
    ),
    "text_too_long_for_realtime": Problem(
        413,
        "The text is too long for the realtime tier",
        "Keep it within {limit} tokens (it has {size}), or send `tier: auto`.",
    ),
}

_RECEIVERS: Final = {
    code: Problem(422, title, remedy)
    for code, title, remedy in (
        ("endpoint_unknown", "No such webhook endpoint", "Name one of yours."),
        ("https_required", "The webhook URL is not https", "Use https."),
        ("url_too_long", "The webhook URL is too long", "Keep it within 2,048 bytes."),
        ("url_invalid", "The webhook URL is not a URL", "Send a plain https URL."),
        ("scheme_not_allowed", "The URL's scheme is not allowed", "Use https."),
        ("userinfo_not_allowed", "The URL holds a password", "Take it out."),
        ("port_not_allowed", "The URL's port is not allowed", "Use 443."),
        ("address_blocked", "The address is not public", "Use a public host."),
        ("host_not_allowed", "The host is not allowed", "Use a public host name."),
        ("email_too_long", "The address is too long", "254 characters are the most."),
        (
            "email_invalid",
            "The address cannot be written to",
            "Send one plain address.",
        ),
    )
}

REQUEST_PROBLEMS: Final = _TRANSPORT | _IDENTITY | _JSON | _FIELDS | _TEXT | _RECEIVERS
