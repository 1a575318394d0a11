"""The values of custom fields in a document: each as `cf_<key>`, after the record's own members (entities.md 6)."""


def with_custom(document: str, row: str) -> str:
    """SQL of a JSON object (text, at least one member) with the custom values of the row `row` added to it.

    What is stored is shown, sealed values as they are stored; a row without custom values costs a comparison.
    """
    members = (
        "select string_agg(',' || to_json('cf_' || f.key)::text || ':' || f.value::text, '')"
        f" from jsonb_each({row}.custom_fields) f"
    )
    return f"(left({document}, -1) || case when {row}.custom_fields = '{{}}' then '' else ({members}) end || '}}')"
