{#- As dbt's own, without what only replaces an older table: the pipeline builds in a new file, where
    making each table under another name, renaming it and looking for what it replaces takes as long as
    the table itself. Everywhere else, and for what is already there, dbt's own. -#}
{% materialization table, adapter = "duckdb", supported_languages = ["sql", "python"] %}
    {% if target.name != "candidate" or load_cached_relation(this) is not none %}
        {{ return(dbt.materialization_table_duckdb()) }}
    {% endif %}
    {%- set table = this.incorporate(type="table") -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement("main", language=model["language"]) -%}
        {{ create_table_as(False, table, compiled_code, model["language"]) }}
    {%- endcall %}
    {% do create_indexes(table) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do comment_at_once(table, model) %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [table]}) }}
{% endmaterialization %}
