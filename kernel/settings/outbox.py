"""The settings of what leads out to other systems: webhooks, Web Push, e-mail."""

from typing import Annotated

from msgspec import Meta

from kernel.settings.section import Count, Port, Seconds, Section


class Outbox(Section, frozen=True):
    """What leads out: notifications, webhooks, Web Push, e-mail."""

    group: Annotated[
        str, Meta(description="consumer group of these roles; empty: `-outbox` after the topics' prefix")
    ] = ""
    instance: Annotated[str, Meta(description="its name in the group; empty: of host and port")] = ""
    host: Annotated[str, Meta(description="address of its /metrics and /readyz")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="port of its /metrics and /readyz")] = 18073
    private_addresses: Annotated[
        bool, Meta(description="whether webhooks may lead to private, loopback and link-local addresses")
    ] = False
    user_webhooks: Annotated[
        bool, Meta(description="whether users may have their notifications posted to an address of theirs")
    ] = False
    timeout_s: Annotated[Seconds, Meta(description="a receiver that has not answered by then has failed")] = (
        10.0
    )
    give_up_s: Annotated[
        Seconds, Meta(description="for how long an event is tried; then it goes to the rejected ones")
    ] = 24 * 60 * 60.0
    first_retry_s: Annotated[
        Seconds, Meta(description="how long after a failure it is tried again; each time twice as long")
    ] = 1.0
    max_retry_s: Annotated[Seconds, Meta(description="the longest time between two tries")] = 60 * 60.0
    connections: Annotated[Count, Meta(description="posts to one receiver at once")] = 32
    queued: Annotated[
        Count, Meta(description="events that wait for one receiver in memory; what is more stays on the log")
    ] = 2000
    queued_bytes: Annotated[
        Count,
        Meta(description="bytes of events that wait for one receiver in memory; one event may be larger"),
    ] = 4 * 1024 * 1024
    max_webhooks: Annotated[Count, Meta(description="webhooks that there may be")] = 1000
    vapid_key: Annotated[
        str, Meta(description="PEM file of the P-256 key for Web Push; empty: nothing is pushed to browsers")
    ] = ""
    vapid_contact: Annotated[
        str, Meta(description="how push services reach you: a mailto: or https: address")
    ] = ""
    mail_server: Annotated[
        str,
        Meta(
            description="where e-mail is handed in: smtps://host:port, or smtp://host:port, which has to know"
            " STARTTLS unless it is on loopback; empty: none is sent"
        ),
    ] = ""
    mail_user: Annotated[str, Meta(description="who hands it in there; empty: nobody in particular")] = ""
    mail_password: Annotated[str, Meta(description="and their password")] = ""
    mail_from: Annotated[str, Meta(description="the address that e-mail is from")] = ""
    mail_to: Annotated[
        tuple[str, ...],
        Meta(
            description="addresses that administrators may have e-mail sent to; `{user}@example.com` is each"
            " user's own"
        ),
    ] = ()
    mail_every_s: Annotated[
        Seconds, Meta(description="how often an e-mail goes out to one receiver at most")
    ] = 60.0
