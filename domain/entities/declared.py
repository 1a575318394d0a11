"""The custom fields that every tenant starts with (entities.md section 8)."""

from typing import Final

from domain.custom_fields.declared import DeclaredField, declare_fields

_FILTER: Final = {"filterable": True}
_NO: Final = {"defaultValue": False}

declare_fields(
    "customers:customer_person_profile",
    DeclaredField(
        "buying_role",
        "select",
        "Buying role",
        "The part this person plays in a purchase.",
        ("economic_buyer", "champion", "technical_evaluator", "influencer"),
        _FILTER,
    ),
    DeclaredField("preferred_pronouns", "text", "Preferred pronouns", "How to speak of this person."),
    DeclaredField(
        "newsletter_opt_in", "boolean", "Newsletter opt-in", "Agreed to get the newsletter.", config=_NO
    ),
)

declare_fields(
    "customers:customer_company_profile",
    DeclaredField(
        "relationship_health",
        "select",
        "Relationship health",
        "How well the relationship with the company goes.",
        ("healthy", "monitor", "at_risk"),
        _FILTER,
    ),
    DeclaredField(
        "renewal_quarter",
        "select",
        "Renewal quarter",
        "The quarter in which the contract is due.",
        ("Q1", "Q2", "Q3", "Q4"),
        _FILTER,
    ),
    DeclaredField(
        "executive_notes",
        "multiline",
        "Executive notes",
        "What the management should know.",
        config={"listVisible": False},
    ),
    DeclaredField(
        "customer_marketing_case",
        "boolean",
        "Marketing case",
        "May be named as a reference in marketing.",
        config=_NO,
    ),
)

declare_fields(
    "customers:customer_deal",
    DeclaredField(
        "competitive_risk",
        "select",
        "Competitive risk",
        "How likely a competitor wins the deal.",
        ("low", "medium", "high"),
        _FILTER,
    ),
    DeclaredField(
        "implementation_complexity",
        "select",
        "Implementation complexity",
        "How much work the delivery will be.",
        ("light", "standard", "complex"),
    ),
    DeclaredField(
        "estimated_seats", "integer", "Estimated seats", "How many people will use it.", config=_FILTER
    ),
    DeclaredField(
        "requires_legal_review",
        "boolean",
        "Legal review needed",
        "The contract has to be looked at by lawyers.",
        config=_NO,
    ),
)

for _entity in ("customers:customer_activity", "customers:customer_interaction"):
    declare_fields(
        _entity,
        DeclaredField(
            "engagement_sentiment",
            "select",
            "Engagement sentiment",
            "The mood of the conversation.",
            ("positive", "neutral", "negative"),
            _FILTER,
        ),
        DeclaredField(
            "shared_with_leadership",
            "boolean",
            "Shared with leadership",
            "The management knows of it.",
            config=_NO,
        ),
        DeclaredField("follow_up_owner", "text", "Follow-up owner", "Who takes the next step."),
    )
