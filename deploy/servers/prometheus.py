"""A private Prometheus: scrapes what it is told to, on loopback, with its data below the given folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import requests

from deploy.servers import debian
from deploy.servers import folder as places
from deploy.servers.ports import LOOPBACK, kept_port
from deploy.servers.process import KeptProcess, Program

#: Used when no configuration is given: Prometheus watching nothing.
EMPTY_CONFIGURATION = "scrape_configs: []\n"
#: Seconds until the server must answer.
READY_WITHIN_S = 30.0
#: Seconds one call may take.
CALL_TIMEOUT_S = 5.0


class PrivatePrometheus:
    """A Prometheus of our own below `folder`; a context manager that starts and stops it."""

    def __init__(
        self,
        folder: Path | str,
        *,
        configuration: str = EMPTY_CONFIGURATION,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """`configuration`: text of prometheus.yml (absolute paths for rule files). Nothing runs yet."""
        self.folder = Path(folder).resolve()
        self._configuration = configuration
        self._say = say
        self._process: KeptProcess | None = None
        self._port: int | None = None
        #: Seconds the last start took until the server answered.
        self.started_in = 0.0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until queries are answered. Raises ServerError, for a faulty configuration too."""
        if self.running:
            return
        began = time.monotonic()
        programs = debian.ensure(debian.PROMETHEUS, self._say)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._port is None:
            self._port = kept_port(places.recall(self.folder).get("port"))
        places.remember(self.folder, {"port": self._port})
        configuration = self.folder / "prometheus.yml"
        configuration.write_text(self._configuration, encoding="utf-8")
        self._process = KeptProcess(
            Program(
                name="Prometheus",
                command=[
                    str(programs / "prometheus"),
                    f"--config.file={configuration}",
                    f"--storage.tsdb.path={self.folder / 'data'}",
                    f"--web.listen-address={LOOPBACK}:{self._port}",
                    "--web.enable-lifecycle",
                    "--enable-feature=exemplar-storage",
                ],
                log=self.folder / "prometheus.log",
                cwd=self.folder,
            )
        )
        self._process.wait_until(self._answers, READY_WITHIN_S)
        self.started_in = time.monotonic() - began

    def stop(self) -> None:
        """Stop cleanly and wait."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def kill(self) -> None:
        """SIGKILL: the next start reads the write-ahead log."""
        if self._process is not None:
            self._process.end("KILL")
            self._process = None

    @property
    def running(self) -> bool:
        """Whether the server's process is there."""
        return self._process is not None and self._process.running

    @property
    def url(self) -> str:
        """Address of the web interface and the query API. Known after the first start."""
        return f"http://{LOOPBACK}:{self._port}"

    def query(self, expression: str) -> list[dict[str, object]]:
        """The result vector of an instant query. Raises requests.RequestException."""
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=CALL_TIMEOUT_S)
        answer.raise_for_status()
        result: list[dict[str, object]] = answer.json()["data"]["result"]
        return result

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=CALL_TIMEOUT_S).ok
        except requests.RequestException:
            return False
