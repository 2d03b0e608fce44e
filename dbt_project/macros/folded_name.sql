{# Names that differ in case, accents and blanks only are one name; null where there is none. The hashes of masked files (lead_pipeline/bi/sql/create_masked.sql) are of the same form. #}
{% macro folded_name(name) -%}
    nullif(trim(regexp_replace(lower(strip_accents({{ name }})), '\s+', ' ', 'g')), '')
{%- endmacro %}
