"""Headless Chromium as Debian packages it, driven by its own ChromeDriver."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

BINARY = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
DRIVER = os.environ.get("CHROMEDRIVER") or shutil.which("chromedriver") or "/usr/bin/chromedriver"
MISSING = (
    f"the browser tests need Chromium and ChromeDriver ({BINARY}, {DRIVER}): "
    "apt-get install chromium chromium-driver, or set CHROMIUM and CHROMEDRIVER"
)
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--force-prefers-reduced-motion",
)  # fmt: skip


def is_installed():
    return Path(BINARY).exists() and Path(DRIVER).exists()


def start():
    """A browser that keeps its console and every request it makes."""
    options = webdriver.ChromeOptions()
    options.binary_location = BINARY
    for flag in _FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(DRIVER))


def resize(browser, width, height=1000):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )


def prefer(browser, theme):
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": theme}]},
    )


def wait(browser, expression, seconds=60):
    """Until a JavaScript expression is true."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, seconds, 0.05).until(
        lambda b: b.execute_script(f"return {expression}")
    )


def drawn(browser):
    wait(browser, "[...document.querySelectorAll('.plot')].every((p) => p.dataset.drawn)")


def complaints(browser):
    return [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def requests(browser):
    """Addresses that were asked for since the last call; data and blob URLs stay in the page."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"
    ]
    return [url for url in urls if not url.startswith(("data:", "blob:"))]
