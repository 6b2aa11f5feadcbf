"""Logs: one structured line an event of note, to standard error; never a message's content or a token."""

import logging
import sys
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger as Logger
    from structlog.typing import Processor


def setup_logs(*, role: str, level: str = "info", form: str = "auto") -> None:
    """Set up logging for this process; `form` is `human`, `json`, or `auto` (human on a terminal)."""
    import structlog  # noqa: PLC0415 - with all that it brings it costs a third of a second: not every command logs

    human = sys.stderr.isatty() if form == "auto" else form == "human"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Processor = structlog.dev.ConsoleRenderer() if human else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Libraries speak of their own inner life at "info"; what they warn of concerns the operator.
    for noisy in ("aiokafka", "aiohttp", "elastic_transport", "elasticsearch", "faust", "mode", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    logging.getLogger("elastic_transport.node_pool").addFilter(_first_failure)
    structlog.contextvars.bind_contextvars(role=role)


def _first_failure(record: logging.LogRecord) -> bool:
    """Of a server that is away Elasticsearch's client tells each failure, many a second: one will do."""
    match record.args:
        case (_, int(failures), _):
            return failures == 1
    return True


def get_logger(name: str) -> "Logger":
    """A logger: `log.info("edge is ready", port=8081)`: a sentence, then fields."""
    return cast("Logger", _OnFirstUse(name))


class _OnFirstUse:
    """A logger that brings its library when something is said: who only posts seldom says anything."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._logger: Any = None

    def __getattr__(self, method: str) -> Any:
        if self._logger is None:
            import structlog  # noqa: PLC0415

            self._logger = structlog.stdlib.get_logger(self._name)
        return getattr(self._logger, method)
