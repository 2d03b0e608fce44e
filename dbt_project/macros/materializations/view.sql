{#- As `table.sql`, for views. They name no catalog: readers attach the file under names of their own, and a
    view finds what it reads in the file that it is in. -#}
{% materialization view, adapter = "duckdb" %}
    {% if target.name != "candidate" or load_cached_relation(this) is not none %}
        {{ return(dbt.materialization_view_default()) }}
    {% endif %}
    {%- set view = this.incorporate(type="view") -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement("main") -%}
        {{ get_create_view_as_sql(view, sql | replace(adapter.quote(this.database) ~ ".", "")) }}
    {%- endcall %}
    {% do persist_docs(view, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [view]}) }}
{% endmaterialization %}
