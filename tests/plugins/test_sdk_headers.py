"""The headers that say who is calling."""

from __future__ import annotations

import re

import pytest

from muxi import ValidationError, __version__
from muxi.plugins import SdkHeaders
from tests.answers import Colour, Playback, answer


def test_the_platform_is_told_which_sdk_this_is(colour: Colour) -> None:
    play = Playback(answer({}))
    colour.run(colour.formation(play).get_memories, "ada")
    headers = play.request.headers
    assert headers["X-Muxi-SDK"] == f"python/{__version__}"
    assert headers["User-Agent"] == f"muxi-client/{__version__}"
    assert re.fullmatch(r"\w+-\w+/py3\.\d+\.\d+\S*", headers["X-Muxi-Client"])
    assert "X-Muxi-App" not in headers


def test_a_callers_own_header_stays(colour: Colour) -> None:
    play = Playback(answer({}))
    colour.run(colour.formation(play, headers={"user-agent": "mine/1"}).get_memories, "ada")
    assert play.header("User-Agent") == ["mine/1"]


def test_a_program_may_give_its_name(colour: Colour) -> None:
    play = Playback(answer({}))
    colour.run(colour.formation(play, plugins=[SdkHeaders(app="shop/2.1")]).get_memories, "ada")
    assert play.request.headers["X-Muxi-App"] == "shop/2.1"
    assert play.request.headers["User-Agent"] == f"shop/2.1 muxi-client/{__version__}"


def test_a_name_that_breaks_out_of_its_header_is_refused() -> None:
    with pytest.raises(ValidationError, match="line break"):
        SdkHeaders(app="shop\r\nX-Muxi-Admin-Key: mine")
