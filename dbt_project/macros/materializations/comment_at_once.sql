{#- What persist_docs does, in one statement and without asking which columns there are: those of an
    enforced contract are all there, and are what the table has. -#}
{% macro comment_at_once(relation, model) %}
    {% if not model.config.contract.enforced %}
        {{ return(persist_docs(relation, model)) }}
    {% endif %}
    {% set comments = [] %}
    {% if config.persist_relation_docs() and model.description %}
        {% do comments.append(alter_relation_comment(relation, model.description)) %}
    {% endif %}
    {% if config.persist_column_docs() %}
        {% for column in model.columns.values() %}
            {% set name = adapter.quote(column.name) if column.quote else column.name %}
            {% do comments.append(
                "comment on column "
                ~ relation
                ~ "."
                ~ name
                ~ " is "
                ~ duckdb_escape_comment(column.description)
                ~ ";"
            ) %}
        {% endfor %}
    {% endif %}
    {% if comments %} {% do run_query(comments | join("\n")) %} {% endif %}
{% endmacro %}
