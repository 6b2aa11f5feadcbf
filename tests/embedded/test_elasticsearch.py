"""How Elasticsearch is set up; how it runs is tests/embedded/test_servers.py's."""

import socket
import threading

from embedded.backends import elasticsearch

DISTRIBUTED = """\
## a comment
-XX:+UseG1GC
20-:--add-modules=jdk.incubator.vector
-Djava.io.tmpdir=${ES_TMPDIR}
-Xlog:gc*,gc+age=trace,safepoint:file=gc.log:utctime
"""


def test_flags_that_do_not_fit_are_left_out_and_the_heap_is_set() -> None:
    assert elasticsearch.jvm_options(DISTRIBUTED, "512m").splitlines() == [
        "-XX:+UseG1GC",
        "-Djava.io.tmpdir=${ES_TMPDIR}",
        "-Xms512m",
        "-Xmx512m",
        "-XX:-AlwaysPreTouch",
    ]


def answering(text: bytes) -> bool:
    """What `is_ready` makes of a server that answers so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(text)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            return elasticsearch.is_ready(server.getsockname()[1])
        finally:
            thread.join()


def test_it_is_ready_when_its_health_is() -> None:
    head = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s"
    good, late = b'{"timed_out":false}', b'{"timed_out":true}'
    assert answering(head % (b"200 OK", len(good), good))
    assert not answering(head % (b"408 Request Timeout", len(late), late))
    assert not answering(head % (b"503 Service Unavailable", 2, b"{}"))
    assert not answering(b"nonsense\r\n\r\n")
    assert not answering(b"")
