"""The page in a real browser, without a window; a plugin of pytest."""

import re
import shutil

import pytest
from PIL import Image

from tests.demo.page_actions import PHOTOGRAPH_SIZE

_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_DESKTOP = {"width": 1200, "height": 900}
_TIMEOUT = 30_000


@pytest.fixture(scope="module")
def browser():
    """A browser; the tests that use it are skipped where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the browser is driven by the package playwright"
    )
    if _CHROMIUM is None:
        pytest.skip("there is no chromium on the path")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_CHROMIUM, args=list(_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, demo_server):
    """Opens the page; at the end nothing may have failed in it, nor come from elsewhere."""
    contexts, complaints, addresses = [], [], []

    def open_page(server=demo_server, viewport=_DESKTOP, **options):
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(_TIMEOUT)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: complaints.append(message.text) if "Security" in message.text else None,
        )
        page.on("request", lambda request: addresses.append(request.url))
        page.goto(f"http://127.0.0.1:{server.rest_port}/")
        page.locator("#models", has_text=re.compile("^(?!Asking)")).wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    own = re.compile(r"(http://127\.0\.0\.1:\d+/|blob:http://127\.0\.0\.1:|data:)")
    assert [address for address in addresses if not own.match(address)] == []


@pytest.fixture
def photograph(tmp_path):
    """A photograph of nothing but sky, the path of sky.jpg."""
    path = tmp_path / "sky.jpg"
    Image.new("RGB", PHOTOGRAPH_SIZE, (90, 140, 200)).save(path)
    return path
