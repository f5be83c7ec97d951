"""A headless Chromium, spoken to over a pipe in its DevTools protocol."""

import base64
import fcntl
import io
import json
import os
import select
import shutil
import subprocess
import sys

from PIL import Image

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
#: The browser reads from 3 and writes to 4.
_START = """
import os, sys
to_read, to_write, *command = sys.argv[1:]
os.dup2(int(to_read), 3)
os.dup2(int(to_write), 4)
os.execv(command[0], command)
"""
_PATIENCE = 120
_LOUD = ("error", "warning", "assert")


class Browser:
    """One browser; `open` gives pages. Use it as a context."""

    def __init__(self, profile):
        to_read, self._write = _pipe()
        self._read, to_write = _pipe()
        ends = (str(to_read), str(to_write))
        command = [PROGRAM, *_OPTIONS, f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, *ends, *command],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._buffer = b""
        self._number = 0
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call("Browser.close")
        self._process.wait(_PATIENCE)
        os.close(self._write)
        os.close(self._read)

    def open(self, path, *, width, dark=False):
        """A page, loaded."""
        return Page(self, path, width, dark=dark)

    def call(self, method, session=None, **parameters):
        """Send a command and wait for its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def wait(self, method, session):
        """Wait for an event."""
        while not any(
            event.get("method") == method and event.get("sessionId") == session
            for event in self.events
        ):
            self.events.append(self._next())

    def _next(self):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], _PATIENCE)
            piece = os.read(self._read, 1 << 16) if ready else b""
            assert piece, "the browser does not answer"
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)


class Page:
    """A page at a width, light or dark."""

    def __init__(self, browser, path, width, *, dark):
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        self._browser = browser
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.as_uri())
        browser.wait("Page.loadEventFired", self._session)

    def call(self, method, **parameters):
        """Send a command to this page."""
        return self._browser.call(method, self._session, **parameters)

    def value(self, expression):
        """What an expression is in the page."""
        result = self.call(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def picture(self):
        """The whole page as an RGB image."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        shot = self.call(
            "Page.captureScreenshot",
            captureBeyondViewport=True,
            clip={**size, "x": 0, "y": 0, "scale": 1},
        )
        return Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")

    @property
    def complaints(self):
        """Errors and warnings of the page, its policy among them."""
        self.value("0")  # what was said before this has arrived after it
        found = []
        for event in self._events():
            said = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(said)
            elif event["method"] == "Log.entryAdded":
                found += [said] if said["entry"]["level"] in _LOUD else []
            elif event["method"] == "Runtime.consoleAPICalled":
                found += [said] if said["type"] in _LOUD else []
        return found

    @property
    def requests(self):
        """Addresses that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self._events()
            if event["method"] == "Network.requestWillBeSent"
        ]

    def _events(self):
        return [
            event
            for event in self._browser.events
            if event.get("sessionId") == self._session
        ]


def _pipe():
    """A pipe whose ends are in nobody's way when they become 3 and 4."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in ends]
    for end in ends:
        os.close(end)
    return moved
