"""All sessions of the page *Play*: how many there may be, and which are dropped because nobody looks any more."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

from .session import Session
from .settings import Settings

MOST_SESSIONS = 16
IDLE = 60.0  # seconds after which a session that no page looks at, training or not, is dropped
GIVEN_WAY = 30.0  # and after which it is dropped for a new one, where there are as many as there may be


class Sessions:
    """Sessions by their names, which nobody can guess."""

    def __init__(self, most: int = MOST_SESSIONS, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._closed = False

    def open(self, settings: Settings) -> tuple[str, Session] | None:
        """A new session and its name; None where there are too many."""
        self._drop_idle()
        if len(self) >= self._most:
            return None
        session = Session(settings, self._clock)
        name = secrets.token_urlsafe(12)
        with self._lock:
            if self._closed or len(self._sessions) >= self._most:
                return None
            self._sessions[name] = session
        return name, session

    def find(self, name: str) -> Session | None:
        """The session of that name, or None if it was dropped or never was."""
        with self._lock:
            return self._sessions.get(name)

    def drop(self, name: str) -> None:
        """End a session, if there is one of that name."""
        with self._lock:
            session = self._sessions.pop(name, None)
        if session is not None:
            session.close()

    def close(self) -> None:
        """End all of them, and let no other begin."""
        with self._lock:
            self._closed = True
            sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            session.close()

    def __len__(self) -> int:
        with self._lock:
            return len(self._sessions)

    def _drop_idle(self) -> None:
        now = self._clock()
        with self._lock:
            patience = GIVEN_WAY if len(self._sessions) >= self._most else IDLE
            idle = [name for name, session in self._sessions.items() if now - session.last_seen > patience]
        for name in idle:
            self.drop(name)
