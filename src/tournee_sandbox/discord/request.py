"""What Discord takes as a message: its limits, and its error body for what exceeds them.

The limits are those of the published specification and of the documentation of embeds. Unknown properties are ignored,
as Discord does; lengths are counted in code points after surrounding space is taken away.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from tournee_sandbox.discord.form_errors import build_invalid_form, word_fault

LONGEST_EMBEDS_IN_ALL = 6_000
EMPTY_MESSAGE = 50006


def _check_url(value: Any) -> Any:
    if isinstance(value, str) and not value.startswith(("http://", "https://", "attachment://")):
        raise PydanticCustomError("url", "Not a well formed URL.")
    return value


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True, frozen=True)


Url = Annotated[str, Field(max_length=2048), BeforeValidator(_check_url)]
Text100 = Annotated[str, Field(max_length=100)]
Text256 = Annotated[str, Field(max_length=256)]
Text2000 = Annotated[str, Field(max_length=2000)]
Text2048 = Annotated[str, Field(max_length=2048)]
Text4096 = Annotated[str, Field(max_length=4096)]
Required256 = Annotated[str, Field(min_length=1, max_length=256)]
Required1024 = Annotated[str, Field(min_length=1, max_length=1024)]
Snowflake = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]*)$")]


class EmbedField(_Part):
    """A name and a value."""

    name: Required256
    value: Required1024
    inline: bool | None = False


class EmbedFooter(_Part):
    """The last line of an embed."""

    text: Text2048 | None = None
    icon_url: Url | None = None


class EmbedAuthor(_Part):
    """The line above the title."""

    name: Text256 | None = None
    url: Url | None = None
    icon_url: Url | None = None


class Embed(_Part):
    """A card under the message."""

    title: Text256 | None = None
    description: Text4096 | None = None
    url: Url | None = None
    color: Annotated[int, Field(ge=0, le=0xFFFFFF)] | None = None
    timestamp: datetime | None = None
    footer: EmbedFooter | None = None
    author: EmbedAuthor | None = None
    fields: Annotated[list[EmbedField], Field(max_length=25)] | None = None

    def count_characters(self) -> int:
        """What counts towards the limit of a whole message."""
        texts = [self.title, self.description]
        texts += [self.footer.text if self.footer else None, self.author.name if self.author else None]
        texts += [text for field in self.fields or () for text in (field.name, field.value)]
        return sum(len(text) for text in texts if text)


class AllowedMentions(_Part):
    """Whom the message may notify. An empty `parse` and no ids: nobody."""

    parse: list[Literal["users", "roles", "everyone"]] | None = None
    users: Annotated[list[Snowflake], Field(max_length=100)] | None = None
    roles: Annotated[list[Snowflake], Field(max_length=100)] | None = None


class Message(_Part):
    """The body of an executed webhook."""

    content: Text2000 | None = None
    embeds: Annotated[list[Embed], Field(max_length=10)] | None = None
    username: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    avatar_url: Url | None = None
    allowed_mentions: AllowedMentions | None = None
    tts: bool | None = None
    flags: int | None = None
    thread_name: Text100 | None = None

    @property
    def mentions_everyone(self) -> bool:
        """Whether it would notify all: only its content can, and only if it is allowed to."""
        named = any(word in (self.content or "") for word in ("@everyone", "@here"))
        allowed = self.allowed_mentions is None or "everyone" in (self.allowed_mentions.parse or ())
        return named and allowed


class Refused(Exception):
    """The message is not taken; `body` is what Discord answers with 400."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__(str(body.get("message")))
        self.body = body


def read_message(content: bytes) -> Message:
    """The message of a JSON body. Raises Refused."""
    try:
        message = Message.model_validate_json(content)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        if faults[0]["type"] == "json_invalid":
            raise Refused({"message": "The request body contains invalid JSON.", "code": 50109}) from error
        raise Refused(build_invalid_form([(fault["loc"], *word_fault(fault)) for fault in faults])) from error
    _refuse_what_only_the_whole_shows(message)
    return message


def _refuse_what_only_the_whole_shows(message: Message) -> None:
    if not message.content and not message.embeds:
        raise Refused({"message": "Cannot send an empty message", "code": EMPTY_MESSAGE})
    empty = [number for number, embed in enumerate(message.embeds or ()) if not embed.count_characters()]
    if empty:
        missing = ("BASE_TYPE_REQUIRED", "This field is required")
        raise Refused(build_invalid_form([(("embeds", number, "description"), *missing) for number in empty]))
    if sum(embed.count_characters() for embed in message.embeds or ()) > LONGEST_EMBEDS_IN_ALL:
        words = f"Embed size exceeds maximum size of {LONGEST_EMBEDS_IN_ALL}"
        raise Refused(build_invalid_form([(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", words)]))
    if message.username and "discord" in message.username.lower():
        words = 'Username cannot contain "discord"'
        raise Refused(build_invalid_form([(("username",), "USERNAME_INVALID_CONTAINS", words)]))
