"""What a tag is, said to whoever writes another thing."""

import pytest
from pydantic import TypeAdapter, ValidationError

from app.workspaces.schemas import Tag

TAGS: TypeAdapter[str] = TypeAdapter(Tag)


@pytest.mark.parametrize("tag", ["prod", "a", "env:prod", "cost-centre.42", "a" * 50])
def test_tag_of_the_right_make_is_taken(tag: str) -> None:
    assert TAGS.validate_python(tag) == tag


@pytest.mark.parametrize("tag", ["env=prod", "Prod", "-prod", "prod-", "", "a" * 51, "prod\n"])
def test_tag_of_another_make_is_refused_in_words(tag: str) -> None:
    with pytest.raises(ValidationError, match="is no tag: lower-case letters, digits"):
        TAGS.validate_python(tag)
