"""The one table of matchers: by the names of profiles, each asked at some time."""

from __future__ import annotations

from adapters.matching import DEFAULT_ORDER
from adapters.profile import SHIPPED, load
from gateway.core.pipeline import MATCHERS
from gateway.flow.policy import matching_rules


def test_profiles_know_every_matcher_and_no_other() -> None:
    """A matcher that no profile can name is never asked, and a name without a matcher asks nobody."""
    assert tuple(MATCHERS) == DEFAULT_ORDER


def test_every_matcher_is_asked_at_some_time() -> None:
    """By what entries say, or by what is searched for; one that is neither would be silently left out."""
    assert [name for name, matcher in MATCHERS.items() if not (matcher.names or matcher.searches)] == []


def test_no_name_of_a_profile_is_dropped() -> None:
    """A name that the table does not have stops the first statement, instead of leaving its entries in suspense."""
    profile = load(SHIPPED / "central-bank.toml")
    strange = profile.matching.model_copy(update={"order": ("reference", "unheard-of")})
    assert matching_rules(profile.model_copy(update={"matching": strange})).order == ("reference", "unheard-of")
