{#- Whose a lead was at a moment, by an ASOF join, which takes the last span of int_lead_owners that had begun by
    then: a join by both ends of each span takes ten times as long.

      select {{ owned_at("owners.owner_id", "visits.entered_at") }} as owner_id
      from visits
      {{ join_owners("visits.lead_key", "visits.entered_at") }} -#}
{% macro join_owners(lead_key, moment) -%}
    asof left join owners on owners.lead_key = {{ lead_key }} and {{ moment }} >= owners.known_from
{%- endmacro %}

{#- Null where nobody knows whose it was: before it was first seen, and while its owner changed. -#}
{% macro owned_at(value, moment) -%}
    case
        when
            owners.lead_key is not null
            and (
                owners.changed_at is null
                or ({{ moment }} <= owners.known_until and {{ moment }} < owners.changed_at)
            )
        then {{ value }}
    end
{%- endmacro %}
