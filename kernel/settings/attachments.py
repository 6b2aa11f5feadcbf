"""The settings of attachments."""

from typing import Annotated, Literal

from msgspec import Meta

from kernel.settings.section import Count, Seconds, Section

SigningKey = Annotated[str, Meta(min_length=32)]


class Attachments(Section, frozen=True):
    """Files that go with messages: where their bytes lie, for how long, and who signs addresses of them."""

    store: Annotated[
        Literal["directory", "s3"],
        Meta(description="a directory that the gateways serve, or a bucket behind the S3 API"),
    ] = "directory"
    dir: Annotated[
        str,
        Meta(
            description="the directory, the same for all gateways; not given: `attachments` in the data_dir"
            " of [embedded]"
        ),
    ] = ".touchline/attachments"
    disk_bytes: Annotated[Count, Meta(description="all that may lie in the directory")] = 10 * 1024**3
    keys: Annotated[
        tuple[SigningKey, ...],
        Meta(
            description="keys of 32 bytes or more that sign addresses, the same for all gateways and edges:"
            " the first signs, all are believed; empty: one made of auth.internal_secret"
        ),
    ] = ()
    max_bytes: Annotated[Count, Meta(description="largest attachment")] = 100 * 1024 * 1024
    upload_s: Annotated[Seconds, Meta(description="for how long an address to upload to is good")] = 3600.0
    url_s: Annotated[
        float, Meta(gt=0, le=300, description="for how long an address to fetch from is good")
    ] = 300.0
    days: Annotated[float, Meta(gt=0, description="days after which an attachment is gone")] = 30.0
    unpublished_s: Annotated[
        Seconds, Meta(description="an upload that no message names within this time is deleted")
    ] = 86_400.0
    sweep_s: Annotated[Seconds, Meta(description="how often it is looked for what has to go")] = 10.0
    gateway: Annotated[
        str, Meta(description="where edges ask about attachments; empty: the gateway of this machine")
    ] = ""
    s3_bucket: Annotated[str, Meta(description="the bucket")] = ""
    s3_prefix: Annotated[str, Meta(description="what the keys in it begin with")] = "attachments/"
    s3_endpoint: Annotated[str, Meta(description="address of the S3 API; empty: Amazon's of the region")] = ""
    s3_region: Annotated[str, Meta(description="the bucket's region")] = "us-east-1"
    s3_access_key: Annotated[
        str, Meta(description="key id; empty: what the environment of the process gives, as AWS's tools do")
    ] = ""
    s3_secret_key: Annotated[str, Meta(description="the key itself")] = ""
