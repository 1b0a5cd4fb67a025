"""Passwords and tokens in addresses are masked wherever an address is shown."""

import pytest

from edgeclf.runtime.terminal.masking import mask

SECRETS = {
    "rtsp://ann:hunter2@10.0.0.7/live": "rtsp://ann:***@10.0.0.7/live",
    "rtsp://ann:hunter2@10.0.0.7:554/live@2x": None,
    "rtsp://ann:p@hunter2@10.0.0.7/live": "rtsp://ann:***@10.0.0.7/live",
    "rtsp://ann:p/hunter2@10.0.0.7/live": "rtsp://ann:***@10.0.0.7/live",
    "rtsp://ann:p?hunter2#x@10.0.0.7/live": "rtsp://ann:***@10.0.0.7/live",
    "rtsp://ann:p@hunter2#1@10.0.0.7/live": "rtsp://ann:***@10.0.0.7/live",
    "rtsp://ann:12/hunter2@10.0.0.7/live": "rtsp://ann:***@10.0.0.7/live",
    "rtsp://ann:12/hunter2@cam.example:554/live": "rtsp://ann:***@cam.example:554/live",
    "rtsp://a/nn:hunter2@[::1]/live": "rtsp://a/nn:***@[::1]/live",
    "rtsp://ann:my hunter2@10.0.0.7/live": "rtsp://ann:***@10.0.0.7/live",
    "0,rtsp://ann:p,hunter2@10.0.0.7/live": "0,rtsp://ann:***@10.0.0.7/live",
    "HTTP://ann:hunter2@[::1]:80/live": "HTTP://ann:***@[::1]:80/live",
    "http://host/live?user=ann&password=hunter2&w=640": "http://host/live?user=ann&password=***&w=640",
    "http://host/live?usr=ann&pwd=hunter2": "http://host/live?usr=ann&pwd=***",
    "http://host/live?loginuse=ann&loginpas=hunter2": "http://host/live?loginuse=ann&loginpas=***",
    "http://host/live?Access_Token=hunter2#top": "http://host/live?Access_Token=***#top",
    "http://host/live?api_key=a/hunter2==": "http://host/live?api_key=***",
    "rtsp://host:554/user=ann&password=hunter2&channel=1": "rtsp://host:554/user=ann&password=***&channel=1",
    "rtsp://host/user=ann_password=hunter2_channel=1": "rtsp://host/user=ann_password=***",
    "http://host/live?psw=hunter2&pw=hunter2&code=hunter2&jwt=hunter2": "http://host/live?psw=***&pw=***&code=***&jwt=***",
    "http://host/live?monkey=12&design=blue&signature=hunter2": "http://host/live?monkey=12&design=blue&signature=***",
}


@pytest.mark.parametrize("name", SECRETS)
def test_passwords_and_tokens_are_masked(name: str) -> None:
    shown = mask(name)

    assert "hunter2" not in shown
    assert SECRETS[name] in (None, shown)


@pytest.mark.parametrize(
    "name",
    [
        "webcam:1",
        "/dev/video0",
        "rtsp://host:554/live",
        "http://host:8080/@ann/live",
        "http://host/@ann",
        "http://ann@host/",
    ],
)
def test_name_without_a_secret_is_unchanged(name: str) -> None:
    assert mask(name) == name


def test_a_line_full_of_addresses_is_masked_within_a_moment() -> None:
    """Searching on from each :// took half a minute, and a line of a list can be this long."""
    assert "hunter2" not in mask("@" + "://" * 20_000 + "\nrtsp://ann:hunter2@host/" + "pas" * 20_000)
    assert "hunter2" not in mask("://" * 20_000 + "ann:hunter2@host")
