"""The gateway sends each path to the one service it belongs to, and keeps what is for operators inside."""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module

import httpx
import pytest

from shared.service import Service
from tests.conftest import do_without
from tests.real.gateway import CADDYFILE, gateway
from tests.real.processes import NotToBeHad, free_port

SERVICES = ("ingest", "loyalty", "scoring", "notifications")


def _claims() -> dict[str, list[str]]:
    """Path patterns of each service, as the file lists them."""
    found = re.findall(r"^\s*@(\w+) path (.+)$", CADDYFILE.read_text(), re.MULTILINE)
    return {service: paths.split() for service, paths in found}


CLAIMS = [(service, path) for service, paths in _claims().items() for path in paths]


class _Upstream(ThreadingHTTPServer):
    """A stand-in for one service that answers everything with its name."""

    def __init__(self, service: str) -> None:
        super().__init__(("127.0.0.1", 0), _SaysItsName)
        self.service = service
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()


class _SaysItsName(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Upstream)
        body = self.server.service.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of the gateway in front of three stand-ins; nobody listens where notifications should."""
    with ExitStack() as stack:
        ports = {name: [stack.enter_context(_Upstream(name)).server_port] for name in SERVICES[:-1]}
        ports["notifications"] = [free_port()]
        try:
            url = stack.enter_context(gateway(tmp_path_factory.mktemp("gateway"), ports))
        except NotToBeHad as why:
            do_without(str(why))
        yield stack.enter_context(httpx.Client(base_url=url))


def test_no_two_services_claim_the_same_path() -> None:
    paths = [path for _, path in CLAIMS]
    assert len(paths) == len(set(paths))
    assert set(_claims()) == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_the_gateway_lists_exactly_what_a_service_declares(name: str) -> None:
    service: Service = getattr(import_module(f"services.{name}.service"), name)
    assert sorted(_claims()[name]) == sorted(pattern for each in service.prefixes for pattern in (each, f"{each}/*"))


@pytest.mark.parametrize(("service", "path"), [claim for claim in CLAIMS if claim[0] != "notifications"])
def test_a_path_goes_to_its_service(client: httpx.Client, service: str, path: str) -> None:
    assert client.get(path.replace("*", "me")).text == service


def test_a_service_that_is_down_is_503_and_the_others_answer(client: httpx.Client) -> None:
    down = client.get("/v1/messages")
    assert (down.status_code, down.json()["status"]) == (503, 503)
    assert int(down.headers["Retry-After"]) >= 1
    assert client.get("/v1/scores").status_code == 200


@pytest.mark.parametrize("path", ["/health/ready", "/health/pipeline", "/metrics", "/books", "/v1/nothing", "/docs"])
def test_what_no_service_shows_to_the_world_is_404(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["Content-Type"] == "application/problem+json"
