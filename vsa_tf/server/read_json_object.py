"""The body of any request in JSON."""

import json

from vsa_tf.server.quote_json import quote_json
from vsa_tf.server.serving_error import ServingError


def read_json_object(body):
    """Returns the object that a request's body holds, a dict.

    Args:
        body: bytes. Its `signature_name`, where it has one, is a string.

    Raises:
        ServingError: INVALID_ARGUMENT: it is no JSON object.
    """
    if not body:
        raise _invalid("JSON Parse error: The document is empty")
    try:
        request = json.loads(body)
    except json.JSONDecodeError as error:
        raise _invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, or nested without end
        raise _invalid(f"JSON Parse error: {error}") from error
    if not isinstance(request, dict):
        raise _invalid(f"JSON Value: {quote_json(request)} Is not object")
    if not isinstance(request.get("signature_name", ""), str):
        raise _invalid(
            f"JSON Value: {quote_json(request)} not formatted correctly. 'signature_name' key "
            "must be a string value."
        )
    return request


def _invalid(message):
    return ServingError("INVALID_ARGUMENT", message)
