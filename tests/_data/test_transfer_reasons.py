"""A failed connection is described in plain words."""

import sc_annotate._data.transfer as transfer


def test_pools_and_retries_are_left_out() -> None:
    from requests import ConnectionError as Broken
    from urllib3.exceptions import MaxRetryError

    inner = OSError("HTTPSConnection(host='a.example', port=443): Failed to resolve 'a.example' ([Errno -3] no name)")
    error = Broken(MaxRetryError(None, "https://a.example/models.json", inner))  # type: ignore[arg-type]
    assert transfer._plainly(error) == "Failed to resolve 'a.example' ([Errno -3] no name)"
    assert transfer._plainly(Broken("reset by the peer")) == "reset by the peer"
    assert transfer._plainly(Broken()) == ""
