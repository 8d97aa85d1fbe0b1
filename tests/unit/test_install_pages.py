"""The pages of the install flow: one for each outcome, on their own, without a word that leaks."""

import base64
import hashlib
import re

import pytest

from service.oauth.flow import Reason
from service.oauth.pages import HEADERS, Page, failure, success

PAGES = [success(62515), *(failure(reason, 62515) for reason in Reason)]


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_a_page(reason: Reason) -> None:
    """Each failure has a title, words on what to do, and a status that is no success."""
    page = failure(reason, 62515)
    assert page.title
    assert len(page.words) > 20
    assert page.status >= 400
    assert not page.good


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.title)
def test_a_page_stands_on_its_own(page: Page) -> None:
    """A page loads nothing, runs nothing, and its style is the one that its policy allows."""
    html = page.html().decode()
    assert not re.search(r"<(?:script|link|img|iframe|form|object)\b|\bon\w+=|https?://", html)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{hashed}'" in HEADERS["Content-Security-Policy"]


def test_words_are_escaped() -> None:
    """What stands on a page cannot become part of it."""
    html = Page(success(1).status, "<b>", '"><script>').html().decode()
    assert "<script>" not in html
    assert "<b>" not in html


def test_names_are_written_as_names() -> None:
    """HubSpot is written with its capitals wherever it is named."""
    for page in PAGES:
        assert "hubspot" not in page.words
