{#- Changes with the code of the current model and of all models before it, and with the
    macros and variables that they use: rows that other code has computed are not reused. -#}
{% macro upstream_digest() -%}
    {%- if execute -%}
        {%- set seen = [] -%}
        {%- set open = [model.unique_id] -%}
        {%- set code = [] -%}
        {#- Jinja has no while; no model has more models before it than there are nodes. -#}
        {%- for _ in graph.nodes if open -%}
            {%- set node = graph.nodes.get(open.pop()) -%}
            {%- if node and node.unique_id not in seen -%}
                {%- do seen.append(node.unique_id) -%}
                {%- do code.append(node.unique_id ~ node.raw_code) -%}
                {%- for upstream in node.depends_on.nodes if upstream not in open -%}
                    {%- do open.append(upstream) -%}
                {%- endfor -%}
            {%- endif -%}
        {%- endfor -%}
        {{-
            local_md5(
                code | sort | join("\n") ~ utc_date("moment") ~ var("daily_history_days")
            )
        -}}
    {%- endif -%}
{%- endmacro %}
