"""A headless Chromium that opens files: what a reader of the pages uses."""

import json
import shutil
from pathlib import Path

import pytest

FLAGS = (
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--hide-scrollbars',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
)  # fmt: skip
PROGRAMS = ('chromium', 'chromedriver')


def make_browser(profile: Path):
    """Start Chromium with an empty profile; where it is not installed the tests are skipped."""
    webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
    found = [shutil.which(name) for name in PROGRAMS]
    if None in found:
        pytest.skip('chromium and chromedriver are not installed')
    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    for flag in (*FLAGS, f'--user-data-dir={profile}'):
        options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(found[1]))


def open_page(browser, path: Path, width: int = 1280) -> None:
    """Open a file in a window of some width; what was logged before is forgotten."""
    screen = {'width': width, 'height': 900, 'deviceScaleFactor': 1, 'mobile': width < 600}
    browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', screen)
    for kind in ('browser', 'performance'):
        browser.get_log(kind)
    browser.get(path.as_uri())


def requests_of(browser) -> list[str]:
    """Return the addresses that were asked for since the page was opened."""
    messages = (json.loads(entry['message'])['message'] for entry in browser.get_log('performance'))
    return [m['params']['request']['url'] for m in messages if m['method'] == 'Network.requestWillBeSent']


def complaints_of(browser) -> list[str]:
    """Return what the page said on the console."""
    return [entry['message'] for entry in browser.get_log('browser')]
