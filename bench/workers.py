"""Workers beside other frameworks, over load, and several of them: what bench/streams.py measures, kept.

    python -m bench.workers rate [--events 200000] [--runs 3] [--as FIGURE] WHO…   each beside `bare`, in turn
    python -m bench.workers latency [--rates 500,2500,…] [--seconds 10] [--runs 3] [--warm-up 60]
    python -m bench.workers scaling [--events 200000] [--runs 3] [--most 2]

Needs a Kafka (TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS). WHO: touchline, and those of bench/peers/streams.py.
"""

import argparse
import math

from bench import streams
from bench.peers import installing
from bench.report.figures import sample
from kernel.settings.reading import load_settings

#: What the figures call them.
NAMES = {"bare": "bare loop", "faust": "stock Faust", "quix": "Quix Streams", "faststream": "FastStream"}
#: Events a second before those that count.
WARM_UP = 2500


def rate(servers: str, who: list[str], events: int, runs: int, figure: str) -> None:
    """Events a second of one process each, in turn."""
    if "quix" in who and "Quix Streams" in installing.absent():
        who.remove("quix")
    for run in range(runs):
        for name in who:
            found = streams.throughput(name, servers, events).per_s
            print(f"run {run + 1}  {name:12} {found:9,.0f} events/s", flush=True)
            if not math.isnan(found):
                sample(figure, NAMES.get(name, name), found)


def latency(servers: str, rates: list[float], seconds: float, runs: int, warm_up_s: float) -> None:
    """Milliseconds from ingest append to fan-out append at each rate, the bare loop's beside the worker's."""
    streams.warm_up(servers, ("bare", "touchline"), WARM_UP, warm_up_s)
    for _ in range(runs):
        for each in rates:
            for name in ("bare", "touchline"):
                found = streams.latency(name, servers, each, seconds)
                print(f"{name:12} {each:8,.0f}/s: p50 {found['p50']} ms, p99 {found['p99']} ms", flush=True)
                for quantile in ("p50", "p99"):
                    sample(f"worker {quantile}", NAMES.get(name, name), found[quantile], each)


def scaling(servers: str, events: int, runs: int, most: int) -> None:
    """Events a second of one worker, and of several in one group."""
    for _ in range(runs):
        for count in range(1, most + 1):
            who = f"{count} worker{'s' * (count > 1)}"
            found = streams.several(servers, events, count).per_s
            print(f"{who}: {found:9,.0f} events/s", flush=True)
            sample("scaling", who, found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["rate", "latency", "scaling"])
    parser.add_argument("who", nargs="*", default=["touchline"])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rates", default="500,2500,10000,20000")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-up", type=float, default=streams.WARM_UP_S, metavar="SECONDS")
    parser.add_argument("--most", type=int, default=2)
    parser.add_argument("--as", dest="figure", default="workers")
    given = parser.parse_args()
    servers = load_settings().kafka.bootstrap_servers
    match given.what:
        case "rate":
            rate(servers, ["bare", *given.who], given.events, given.runs, given.figure)
        case "latency":
            rates = [float(each) for each in given.rates.split(",")]
            latency(servers, rates, given.seconds, given.runs, given.warm_up)
        case _:
            scaling(servers, given.events, given.runs, given.most)


if __name__ == "__main__":
    main()
