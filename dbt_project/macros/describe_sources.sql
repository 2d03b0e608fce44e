{#- Writes the descriptions of the sources' tables and columns into the file as comments, as
    persist_docs does for models: BI users see the same words in `normalized` as in the YAML.
    Target dev reads the sources from a file that it must not write; what is not in
    `normalized` is not promised to readers, or describes itself. -#}
{% macro describe_sources() %}
    {% if execute and target.name != "dev" and flags.WHICH in ["build", "run"] %}
        {% set comments = [] %}
        {% for source in graph.sources.values() if source.schema == "normalized" %}
            {% set table = source.relation_name %}
            {% do comments.append(
                "comment on table "
                ~ table
                ~ " is "
                ~ duckdb_escape_comment(source.description)
            ) %}
            {% for column in source.columns.values() %}
                {% do comments.append(
                    "comment on column "
                    ~ table
                    ~ "."
                    ~ adapter.quote(column.name)
                    ~ " is "
                    ~ duckdb_escape_comment(column.description)
                ) %}
            {% endfor %}
        {% endfor %}
        {% do run_query(comments | join(";\n")) %}
    {% endif %}
{% endmacro %}
