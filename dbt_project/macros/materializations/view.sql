{#- As `table.sql`, for views. -#}
{% materialization view, adapter = "duckdb" %}
    {% if target.name != "candidate" or load_cached_relation(this) is not none %}
        {{ return(dbt.materialization_view_default()) }}
    {% endif %}
    {%- set view = this.incorporate(type="view") -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement("main") -%} {{ get_create_view_as_sql(view, sql) }} {%- endcall %}
    {% do persist_docs(view, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [view]}) }}
{% endmaterialization %}
